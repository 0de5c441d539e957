"""The queue of one bucket: molecules that wait for a slot.

Shapes: M molecules, B batch, N padded atoms.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from morered.batching import Batch, pad
from morered.structures import Structures

#: Molecules that are padded and sent to the device at once: slots are refilled with a few at a time.
PADDED_AHEAD = 256


class Queue:
    """Molecules that wait, padded ahead of their turn.

    Parameters
    ----------
    structures : Structures
        All molecules.
    members : NDArray
        [M] indices of those that wait, in order.
    n_padded : int
        N.
    device
        Where their tensors go.
    """

    def __init__(self, structures: Structures, members: NDArray[np.int64], n_padded: int, device: torch.device) -> None:
        self._structures = structures
        self._members = members
        self._n_padded = n_padded
        self._device = device
        self._next = 0
        self._padded: Batch | None = None
        self._padded_from = 0

    def __len__(self) -> int:
        return len(self._members) - self._next

    def names(self, count: int) -> NDArray[np.int64]:
        """The next ``count`` molecules, or as many as there are; they stay in the queue."""
        return self._members[self._next : self._next + count].copy()

    def take(self, count: int) -> Batch:
        """The same, padded, and out of the queue."""
        start, count = self._next, min(count, len(self))
        self._next += count  # first: they are out of the queue where there is no room to pad them, too
        if self._padded is None or start + count > self._padded_from + len(self._padded):
            self._padded = None
            ahead = self._members[start : start + max(count, PADDED_AHEAD)]
            self._padded = pad(self._structures, ahead, self._n_padded, self._device)
            self._padded_from = start
        first = start - self._padded_from
        return self._padded[slice(first, first + count)]

    def put_back(self, molecules: NDArray[np.int64]) -> None:
        """These are the next again."""
        self._members = np.concatenate([molecules, self._members[self._next :]])
        self._next = 0
        self._padded = None
