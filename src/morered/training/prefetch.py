"""What is random in the next batches, drawn in one go.

A draw takes hundreds of small operations, whatever its size: for each batch alone they would take a GPU's host longer than the
network does. A number is a function of the seed, its molecule and the number of its batch alone, so nothing depends on how many
batches are drawn together, nor on where a resumed run begins.

Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from morered.diffusion.process import Deviates

#: Molecules that are drawn for together.
_MOLECULES = 2048


class Drawn(NamedTuple):
    """What is random in one batch: its steps [B] and the deviates of its noise."""

    steps: Tensor
    deviates: Deviates


class PrefetchedDraws:
    """Serves batches one after the other.

    Parameters
    ----------
    keys
        Gives the keys [B] of a batch, by its number, and the atoms that its molecules are padded to.
    draw
        Draws for keys [B], the numbers [B] of their batches, and so many atoms.
    batch_size
        Molecules in a batch.
    """

    def __init__(
        self, keys: Callable[[int], tuple[Tensor, int]], draw: Callable[[Tensor, Tensor, int], Drawn], batch_size: int
    ) -> None:
        self._keys = keys
        self._draw = draw
        self._ahead = max(1, _MOLECULES // batch_size)
        self._waiting: dict[int, Drawn] = {}

    def of(self, number: int) -> Drawn:
        """What is random in the batch of this number."""
        if number not in self._waiting:
            self._fill(range(number, number + self._ahead))
        return self._waiting.pop(number)

    def _fill(self, numbers: range) -> None:
        keys, atoms = zip(*map(self._keys, numbers), strict=True)
        borders = [0, *torch.tensor([len(k) for k in keys]).cumsum(0).tolist()]
        counts = torch.cat([torch.full((len(k),), number) for number, k in zip(numbers, keys, strict=True)])
        drawn = self._draw(torch.cat(keys), counts.to(keys[0].device), max(atoms))
        self._waiting = {
            number: Drawn(drawn.steps[start:end], drawn.deviates.part(slice(start, end), n))
            for number, n, (start, end) in zip(numbers, atoms, pairwise(borders), strict=True)
        }
