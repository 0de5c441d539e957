"""The last molecule's density: a field that starts from that of a near geometry takes fewer cycles to the same energy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from morered.settings.level import Level

#: Å; where an atom is further than this from where it was, the density is not tried as a start.
NEAR = 0.5


class _Known(NamedTuple):
    """A density matrix, and what it belongs to."""

    numbers: NDArray[np.integer]
    positions: NDArray[np.floating]
    state: tuple[str, str, int, int]
    density_matrix: NDArray[np.floating]


class Neighbour:
    """Keeps the density of one geometry, and gives it as a start for geometries that are near."""

    def __init__(self) -> None:
        self._known: _Known | None = None

    def guess(
        self, numbers: ArrayLike, positions: ArrayLike, level: Level, charge: int = 0, unpaired: int = 0
    ) -> NDArray[np.floating] | None:
        """A density matrix to start from: [n_ao, n_ao], or [2, n_ao, n_ao] where electrons are unpaired.

        None where the last molecule was another one (atoms in their order, charge, unpaired electrons, functional, basis), or
        an atom lay further away than `NEAR`: the matrix is one of functions at the atoms in directions of space, so that a
        molecule that was turned is not near.
        """
        known = self._known
        if known is None or known.state != _state(level, charge, unpaired) or not np.array_equal(known.numbers, numbers):
            return None
        moved = np.linalg.norm(np.asarray(positions, dtype=float) - known.positions, axis=1)
        return known.density_matrix if moved.max() <= NEAR else None

    def keep(
        self,
        density_matrix: NDArray[np.floating],
        numbers: ArrayLike,
        positions: ArrayLike,
        level: Level,
        charge: int = 0,
        unpaired: int = 0,
    ) -> None:
        """Keep this density in place of the last one."""
        where = np.array(positions, dtype=float)
        self._known = _Known(np.array(numbers), where, _state(level, charge, unpaired), density_matrix)


def _state(level: Level, charge: int, unpaired: int) -> tuple[str, str, int, int]:
    return level.functional.lower(), level.basis.lower(), charge, unpaired
