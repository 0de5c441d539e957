"""Fragments that a network does not see together: beyond its cutoff nothing tells how they lie to each other.

A prediction for atoms out of each other's sight moves each group as if it were alone, and the sum of many such moves is a drift.

Shapes: M molecules, A atoms (flat).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from morered.checks.identity import pieces
from morered.chemistry import bonds, component_firsts
from morered.frozen import frozen_atoms
from morered.metrics.rmsd import superpose
from morered.structures import Structures


def put_where_they_were(positions: NDArray[np.float64], given: Structures, relaxed: NDArray[np.bool_], cutoff: float) -> None:
    """Lay each group of atoms that is, or was, out of sight of the others on its place in the input, in place.

    A group with frozen atoms is where they are. Recorded steps stay as the network took them.

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
    frozen = frozen_atoms(given)
    for m in np.flatnonzero(relaxed & (pieces(given) > 1)).tolist():
        rows = slice(int(given.offsets[m]), int(given.offsets[m + 1]))
        ends, starts = positions[rows], np.asarray(given.positions[rows], np.float64)
        group = _groups(ends, starts, cutoff)
        joined = bonds(given.numbers[rows], starts)
        if len(np.unique(group)) == 1 or (group[joined[:, 0]] != group[joined[:, 1]]).any():  # what fell apart is no such group
            continue
        held = frozen[rows]
        places = starts + (ends[held] - starts[held]).mean(axis=0) if held.any() else starts  # beside those that stay
        for one in np.unique(group).tolist():
            atoms = group == one
            if not held[atoms].any():
                ends[atoms] = superpose(ends[atoms], places[atoms])


def _groups(ends: NDArray[np.float64], starts: NDArray[np.float64], cutoff: float) -> NDArray[np.int64]:
    """The first atom of the group that each atom belongs to, [N]: of a group all see each other, directly or not, in both."""
    seen = [np.linalg.norm(points[:, None] - points, axis=2) < cutoff for points in (ends, starts)]
    return component_firsts(np.argwhere(np.triu(seen[0] & seen[1], k=1)), len(ends))
