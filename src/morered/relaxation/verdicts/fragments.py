"""Fragments that a network does not see together: beyond its cutoff nothing tells how they lie to each other.

A prediction for atoms out of each other's sight moves each group as if it were alone, and the sum of many such moves is a drift.

Shapes: M molecules, A atoms (flat).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from morered.checks.identity import pieces
from morered.chemistry import bonds, component_firsts
from morered.frozen import has_frozen
from morered.metrics.rmsd import superpose
from morered.structures import Structures


def put_where_they_were(positions: NDArray[np.float64], given: Structures, relaxed: NDArray[np.bool_], cutoff: float) -> None:
    """Lay each group of atoms that is out of sight of the others on its place in the input, in place.

    Parameters
    ----------
    positions
        [A, 3], Å, the results.
    given
        The M inputs, in the same frame.
    relaxed
        Which of them have results, [M].
    cutoff
        Å, up to which the network sees.
    """
    for m in np.flatnonzero(relaxed & ~has_frozen(given) & (pieces(given) > 1)).tolist():
        rows = slice(int(given.offsets[m]), int(given.offsets[m + 1]))
        ends, starts = positions[rows], np.asarray(given.positions[rows], np.float64)
        group = _groups(ends, cutoff)
        joined = bonds(given.numbers[rows], starts)
        if len(np.unique(group)) == 1 or (group[joined[:, 0]] != group[joined[:, 1]]).any():  # what fell apart is no such group
            continue
        for one in np.unique(group).tolist():
            ends[group == one] = superpose(ends[group == one], starts[group == one])


def _groups(points: NDArray[np.float64], cutoff: float) -> NDArray[np.int64]:
    """The first atom of the group within sight that each atom belongs to, [N]."""
    near = np.linalg.norm(points[:, None] - points, axis=2) < cutoff
    return component_firsts(np.argwhere(np.triu(near, k=1)), len(points))
