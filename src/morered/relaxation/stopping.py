"""When a diffusion relaxation is done: plain functions of what its steps predicted.

Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from morered.relaxation.codes import Code
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


def init(rules: StopRules, positions: Tensor) -> Rows:
    """Scratch rows of molecules that begin at positions [B, N, 3]."""
    rows: Rows = {}
    if rules.plateau is not None:
        zeros = positions.new_zeros(len(positions))
        rows |= {"plateau_sum": zeros, "plateau_best": torch.full_like(zeros, torch.inf), "plateau_since": zeros.clone()}
    if rules.settled is not None:
        zeros = positions.new_zeros(*positions.shape[:2], positions.shape[1])
        rows |= {"settled_sum": zeros, "settled_last": torch.full_like(zeros, torch.inf)}
    return rows


def check(rules: StopRules, step: Tensor, clean: Tensor | None, mask: Tensor, taken: Tensor, scratch: Rows) -> Tensor:
    """Codes [B] int8 after a step.

    Parameters
    ----------
    rules : StopRules
        What counts.
    step : Tensor
        [B] the predicted steps it was taken at.
    clean : Tensor or None
        [B, N, 3] the predicted clean structures, Å; needed for ``rules.settled`` alone.
    mask : Tensor
        [B, N] bool, atoms.
    taken : Tensor
        [B] steps taken, this one included.
    scratch : Rows
        As `init` gave them; changed in place.
    """
    code = torch.zeros_like(step, dtype=torch.int8)
    if rules.settled is not None and clean is not None:
        done = _settled(rules.settled, clean, mask, taken, scratch)
        code = torch.where(done, int(Code.SETTLED), code).to(torch.int8)
    if rules.plateau is not None:
        done = _plateau(rules.plateau, step, taken, scratch)
        code = torch.where(done, int(Code.STEP_PLATEAU), code).to(torch.int8)
    return torch.where(reached(step, rules.step), int(Code.CONVERGED), code).to(torch.int8)


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


def _settled(rule: Settled, clean: Tensor, mask: Tensor, taken: Tensor, scratch: Rows) -> Tensor:
    total, last = scratch["settled_sum"], scratch["settled_last"]
    # |a - b|² = |a|² + |b|² - 2 a.b in one matrix product; positions are centred, so float64 loses nothing that matters
    squares = clean.square().sum(dim=-1)
    between = squares[:, :, None] + squares[:, None] - 2 * clean @ clean.transpose(1, 2)
    pairs = mask[:, :, None] & mask[:, None]
    total += between.clamp(min=0.0).sqrt().masked_fill(~pairs, 0.0)
    full = taken % rule.window == 0
    mean = total / rule.window
    sizes = mask.sum(dim=1)
    changed = (mean - last).square().sum(dim=(1, 2)) / (sizes * (sizes - 1)).clamp(min=1)
    done = full & (changed < rule.threshold**2)
    last.copy_(torch.where(full[:, None, None], mean, last))
    total.masked_fill_(full[:, None, None], 0.0)
    return done


def _at_least_1(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
