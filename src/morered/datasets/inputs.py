"""Test inputs: which displaced structures of each minimum the methods are tested on.

Shapes: M molecules, A atoms (flat).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from morered.metrics.rmsd import rmsd
from morered.structures import Column, Structures, as_names

logger = logging.getLogger(__name__)

CLOSEST, MIDDLE, FARTHEST = 0, 1, 2
"""Values of the column ``rank``."""
CHUNK = 100_000
"""Structures aligned at a time."""


def closest_middle_farthest(structures: Structures, minima: Structures, references: Sequence[str]) -> Structures:
    """Of each minimum's displaced structures the closest, the middle and the most distant by aligned RMSD (Section 3.2).

    Of K structures sorted by RMSD these are the first, number K // 2 (counted from 0) and the last; ties go by the order of the
    structures. A minimum with fewer than three gives what it has, each once.

    Parameters
    ----------
    structures
        Displaced structures, found by their references; minima among them are passed over.
    minima
        Where the references are found by their ids.
    references
        Ids of the minima wanted.

    Returns
    -------
    Structures
        In the order of ``references``, closest first, with the columns ``rmsd`` (Å, aligned) and ``rank`` (int8: 0 closest,
        1 middle, 2 most distant) added.

    Raises
    ------
    KeyError
        If a reference is not among the minima; the message names it.
    """
    wanted = as_names(references)
    targets = minima[minima.index_of(wanted)]
    candidates = np.flatnonzero(np.isin(structures.references, wanted) & (structures.references != structures.ids))
    owner = targets.index_of(structures.references[candidates])
    distance = _distances(structures, candidates, targets, owner)
    order = np.lexsort((candidates, distance, owner))
    candidates, owner, distance = candidates[order], owner[order], distance[order]
    counts = np.bincount(owner, minlength=len(targets))
    if len(without := np.flatnonzero(counts == 0)):
        logger.warning("%d minima have no displaced structure, the first is %s", len(without), targets.ids[without[0]].decode())
    first = np.cumsum(counts) - counts
    places = np.stack([first, first + counts // 2, first + counts - 1], axis=1)
    once = np.stack([counts > 0, counts > 2, counts > 1], axis=1)  # where places fall together, the structure is taken once
    chosen = places[once]
    ranks = np.broadcast_to(np.array([CLOSEST, MIDDLE, FARTHEST], np.int8), places.shape)[once]
    return structures[candidates[chosen]].with_columns({"rmsd": Column(distance[chosen], "Å"), "rank": Column(ranks)})


def _distances(
    structures: Structures, candidates: NDArray[np.int64], targets: Structures, owner: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Aligned RMSD in Å of each candidate to the target that owns it, [len(candidates)]."""
    result = np.empty(len(candidates))
    bare, bare_targets = structures.without_columns(), targets.without_columns()
    for start in range(0, len(candidates), CHUNK):
        chunk = slice(start, start + CHUNK)
        result[chunk] = rmsd(bare[candidates[chunk]], bare_targets[owner[chunk]])
    return result
