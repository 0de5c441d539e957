"""When a diffusion relaxation is done: plain functions of what its steps predicted.

Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

import torch
from torch import Tensor

from morered.relaxation.codes import Code
from morered.relaxation.engine.endings import constant
from morered.relaxation.engine.state import Rows
from morered.settings.relaxation import Settled, StopRules


def reached(step: Tensor) -> Tensor:
    """Whether the steps [B] are the first of the schedule: the paper's convergence criterion (section 3.2), [B] bool."""
    return step <= 0


def init(rules: StopRules, positions: Tensor, mask: Tensor) -> Rows:
    """Scratch rows of molecules that begin at positions [B, N, 3], mask [B, N]."""
    rows: Rows = {}
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
    return torch.where(reached(step), constant(Code.CONVERGED, step.device), code)


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
