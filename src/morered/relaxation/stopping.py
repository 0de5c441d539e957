"""When a diffusion relaxation is done: plain functions of what its steps predicted.

Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from morered.relaxation.codes import Code, constant
from morered.relaxation.state import Rows


@dataclass(frozen=True)
class StepPlateau:
    """Done when the predicted steps have stopped falling.

    Attributes
    ----------
    window : int
        Steps whose predictions are averaged.
    patience : int
        Done after so many windows in a row without a new lowest average.
    tolerance : float
        By how much a new lowest average must be lower.
    """

    window: int = 20
    patience: int = 3
    tolerance: float = 0.5

    def __post_init__(self) -> None:
        _at_least_1(window=self.window, patience=self.patience)
        if self.tolerance < 0:
            raise ValueError(f"tolerance must be at least 0, not {self.tolerance}")


@dataclass(frozen=True)
class Settled:
    """Done when the predicted clean structure stands still.

    Attributes
    ----------
    window : int
        Steps over which the distances between the atoms of the predicted clean structure are averaged.
    threshold : float
        Å: done when they change by less than this (root mean square) from one window to the next. Distances, because a clean
        structure turns with the noise in the structure it is predicted from.
    """

    window: int = 1
    threshold: float = 0.01

    def __post_init__(self) -> None:
        _at_least_1(window=self.window)
        if not self.threshold > 0:
            raise ValueError(f"threshold must be positive, not {self.threshold}")


@dataclass(frozen=True)
class StopRules:
    """When a molecule is done; whichever rule is met first counts.

    Attributes
    ----------
    step : int
        Done after a step at a predicted step (array index, 0..T-1) of at most this: 0 is the paper's rule (section 3.2).
    plateau : StepPlateau, optional
        On the predicted steps.
    settled : Settled, optional
        On the predicted clean structures. The last of them is then the result, because the structure itself may still be noisy.
    finish : {"stepped", "clean"}
        The result where one of the other rules is met: the structure after the step, as in the paper, or the clean one predicted
        before it.
    """

    step: int = 0
    plateau: StepPlateau | None = None
    settled: Settled | None = None
    finish: Literal["stepped", "clean"] = "stepped"

    @property
    def needs_clean(self) -> bool:
        """Whether clean structures must be predicted for them."""
        return self.settled is not None or self.finish == "clean"


def reached(step: Tensor, threshold: int) -> Tensor:
    """Whether the steps [B] are at most the threshold: the paper's convergence criterion, [B] bool."""
    return step <= threshold


def init(rules: StopRules, positions: Tensor, mask: Tensor) -> Rows:
    """Scratch rows of molecules that begin at positions [B, N, 3], mask [B, N]."""
    rows: Rows = {}
    if rules.plateau is not None:
        zeros = positions.new_zeros(len(positions))
        rows |= {"plateau_sum": zeros, "plateau_best": torch.full_like(zeros, torch.inf), "plateau_since": zeros.clone()}
    if rules.settled is not None:
        pairs = (mask[:, :, None] & mask[:, None]).to(positions.dtype)
        weights = pairs / (pairs.sum(dim=(1, 2), keepdim=True) - mask.sum(dim=1)[:, None, None]).clamp(min=1)
        rows |= {"settled_last": torch.full_like(pairs, torch.inf), "settled_weights": weights}
        if rules.settled.window > 1:
            rows["settled_sum"] = torch.zeros_like(pairs)
    return rows


def check(rules: StopRules, step: Tensor, clean: Tensor | None, taken: Tensor, scratch: Rows) -> Tensor:
    """Codes [B] int8 after a step.

    Parameters
    ----------
    rules : StopRules
        What counts.
    step : Tensor
        [B] the predicted steps it was taken at.
    clean : Tensor or None
        [B, N, 3] the predicted clean structures, Å; needed for ``rules.settled`` alone.
    taken : Tensor
        [B] steps taken, this one included.
    scratch : Rows
        As `init` gave them; changed in place.
    """
    code = constant(Code.RUNNING, step.device)
    if rules.settled is not None and clean is not None:
        code = torch.where(_settled(rules.settled, clean, taken, scratch), constant(Code.SETTLED, step.device), code)
    if rules.plateau is not None:
        code = torch.where(_plateau(rules.plateau, step, taken, scratch), constant(Code.STEP_PLATEAU, step.device), code)
    return torch.where(reached(step, rules.step), constant(Code.CONVERGED, step.device), code)


def _plateau(rule: StepPlateau, step: Tensor, taken: Tensor, scratch: Rows) -> Tensor:
    total, best, since = scratch["plateau_sum"], scratch["plateau_best"], scratch["plateau_since"]
    total += step
    full = taken % rule.window == 0
    mean = total / rule.window
    lower = full & (mean < best - rule.tolerance)
    best.copy_(torch.where(lower, mean, best))
    since.copy_(torch.where(lower, 0.0, since + full))
    total.masked_fill_(full, 0.0)
    return since >= rule.patience


def _settled(rule: Settled, clean: Tensor, taken: Tensor, scratch: Rows) -> Tensor:
    last, distances = scratch["settled_last"], torch.cdist(clean, clean)
    if rule.window == 1:
        scratch["settled_last"] = distances
        return _changes(distances, last, scratch) < rule.threshold**2
    total = scratch["settled_sum"]
    total += distances
    full = taken % rule.window == 0
    mean = total / rule.window
    done = full & (_changes(mean, last, scratch) < rule.threshold**2)
    last.copy_(torch.where(full[:, None, None], mean, last))
    total.masked_fill_(full[:, None, None], 0.0)
    return done


def _changes(distances: Tensor, before: Tensor, scratch: Rows) -> Tensor:
    """Mean squared change [B] of the distances [B, N, N] between atoms; infinite or NaN where there were none before."""
    return ((distances - before).square() * scratch["settled_weights"]).sum(dim=(1, 2))


def _at_least_1(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
