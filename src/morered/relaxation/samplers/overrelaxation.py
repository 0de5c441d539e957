"""Jumps that go beyond the predicted clean structure (over-relaxation), each followed by jumps that repair what they did.

Near a minimum the network sees no noise in bonds and angles, so that it predicts a small time and a jump is short. Its direction
still tells something of the soft modes, along which the structure has far to go: of results that stand still the jump has, at
modes of 0.02 to 0.5 eV/Å², a cosine of 0.3 to 0.5 with the way to the minimum, and 1/500 of its length (docs/organic.md). A jump
in this direction with a length of its own goes that way; what it does to bonds and angles the next jumps undo.

Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

import torch
from torch import Tensor

from morered.settings.relaxation import Overrelaxation


def lengths(settings: Overrelaxation, device: torch.device) -> Tensor:
    """Å that a move goes beyond which the rest is plain, float64 [steps + 1]; 0 for a plain jump, which all further ones are."""
    plan = [0.0] * settings.before
    for length in settings.lengths:
        plan += [length, *([0.0] * settings.between)]
    return torch.tensor([*plan, 0.0], dtype=torch.float64, device=device)


def step(settings: Overrelaxation, plan: Tensor, positions: Tensor, clean: Tensor, taken: Tensor) -> Tensor:
    """Where to go from positions [B, N, 3].

    Parameters
    ----------
    settings : Overrelaxation
        Settings.
    plan : Tensor
        `lengths` of them.
    positions, clean : Tensor
        Structure and predicted clean structure [B, N, 3], Å, 0 on padding.
    taken : Tensor
        [B] steps taken before this one.

    Returns
    -------
    Tensor
        [B, N, 3]: the clean structure, or beyond it, where it is the turn of a long jump: as far as the plan says for the atom
        that moves furthest, yet no more than ``factor`` times as far as the clean structure is.
    """
    jump = clean - positions
    size = torch.linalg.vector_norm(jump, dim=2).amax(dim=1).clamp(min=torch.finfo(jump.dtype).tiny)
    factor = (plan[taken.clamp(max=len(plan) - 1)] / size).clamp(min=1.0, max=settings.factor)
    return torch.addcmul(positions, factor[:, None, None], jump)


def over(plan: Tensor, taken: Tensor) -> Tensor:
    """Whether all that the plan says is done after so many steps [B], [B] bool: before, nothing tells that a molecule rests."""
    return taken >= len(plan) - 1
