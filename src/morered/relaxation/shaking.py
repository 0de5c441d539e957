"""Starts beside the one that was given.

Shapes: M molecules.
"""

from __future__ import annotations

import numpy as np

from morered.batching import batches, pad, unpad
from morered.diffusion.noise import normal
from morered.frozen import frozen_atoms
from morered.structures import Structures

#: Draws of a relaxation are numbered from 0 by its steps; those of a shaken start have this number.
SHAKE_DRAW = 2**32 - 2


def shaken(structures: Structures, width: float, seed: int) -> Structures:
    """Every coordinate of M molecules moved by a normal deviate of ``width`` Å, the same for a molecule in any company.

    Frozen atoms stay.
    """
    positions = np.array(structures.positions, dtype=np.float64)
    for index, n_padded in batches(structures.sizes):
        batch = pad(structures, index, n_padded)
        moves = unpad(normal(seed, batch.keys, SHAKE_DRAW, n_padded), batch.mask)
        ends = np.cumsum(structures.sizes[index])
        for m, start, end in zip(index.tolist(), [0, *ends[:-1].tolist()], ends.tolist(), strict=True):
            positions[int(structures.offsets[m]) : int(structures.offsets[m + 1])] += width * moves[start:end]
    held = frozen_atoms(structures)
    positions[held] = structures.positions[held]
    return structures.with_positions(positions)
