"""Jumps that go beyond the predicted clean structure (over-relaxation), each followed by jumps that repair what they did.

Near a minimum the network sees no noise in bonds and angles, so that it predicts a small time and a jump is short. Its direction
still tells something of the soft modes, along which the structure has far to go: of results that stand still the jump has, at
modes below 3 eV/Å², a cosine of 0.2 to 0.5 with the way to the minimum, and a thousandth of its length
(`benchmarks/soft_modes.py`, docs/organic.md). A jump in this direction with a length of its own goes that way; what it does to
bonds and angles the next jumps undo.

Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

import torch
from torch import Tensor

from morered.settings.relaxation import Overrelaxation


class Plan:
    """Which jumps are long.

    Parameters
    ----------
    settings : Overrelaxation
        Settings.
    device : torch.device
        Of the structures.
    """

    def __init__(self, settings: Overrelaxation, device: torch.device) -> None:
        plan = [0.0] * settings.before
        for length in settings.lengths:
            plan += [length, *([0.0] * settings.between)]
        self._settings = settings
        self._steps = len(plan)
        self._lengths = torch.tensor([*plan, 0.0], dtype=torch.float64, device=device)  # the last: all jumps after the plan

    def instead(self, mixed: Tensor, positions: Tensor, clean: Tensor, mask: Tensor, taken: Tensor) -> Tensor:
        """Where to go from positions [B, N, 3].

        Parameters
        ----------
        mixed : Tensor
            Where small molecules go, [B, N, 3].
        positions, clean : Tensor
            Structure and predicted clean structure [B, N, 3], Å, 0 on padding.
        mask : Tensor
            [B, N] bool, which atoms are there.
        taken : Tensor
            [B] steps taken before this one.

        Returns
        -------
        Tensor
            [B, N, 3]: the clean structure, or beyond it, where it is the turn of a long jump: as far as the plan says for the
            atom that moves furthest, yet no more than ``factor`` times as far as the clean structure is.
        """
        jump = clean - positions
        size = torch.linalg.vector_norm(jump, dim=2).amax(dim=1).clamp(min=torch.finfo(jump.dtype).tiny)
        factor = (self._lengths[taken.clamp(max=self._steps)] / size).clamp(min=1.0, max=self._settings.factor)
        further = torch.addcmul(positions, factor[:, None, None], jump)
        return torch.where(self._small(mask)[:, None, None], mixed, further)

    def over(self, mask: Tensor, taken: Tensor) -> Tensor:
        """Whether all long jumps and their repairs are done after so many steps [B], [B] bool: before, nothing tells of rest."""
        return (taken >= self._steps) | self._small(mask)

    def _small(self, mask: Tensor) -> Tensor:
        return mask.sum(dim=1) < self._settings.atoms
