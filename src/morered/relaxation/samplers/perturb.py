"""Perturbs inputs with Gaussian noise, for further starts beside the one given.

Shapes: M molecules.
"""

from __future__ import annotations

import numpy as np

from morered.batching import batches, pad, unpad
from morered.diffusion.random_numbers import normal
from morered.frozen import frozen_atoms
from morered.structures import Structures, gathered

#: Draws of a relaxation are numbered from 0 by its steps; those of a perturbed start have this number.
PERTURB_DRAW = 2**32 - 2


def perturbed(structures: Structures, width: float, seed: int) -> Structures:
    """Every coordinate of M molecules moved by a normal deviate of ``width`` Å, the same for a molecule in any company.

    Frozen atoms stay.
    """
    positions = np.array(structures.positions, dtype=np.float64)
    for index, n_padded in batches(structures.sizes):
        batch = pad(structures, index, n_padded)
        atoms, _ = gathered(structures.offsets, index)
        positions[atoms] += width * unpad(normal(seed, batch.keys, PERTURB_DRAW, n_padded), batch.mask)
    held = frozen_atoms(structures)
    positions[held] = structures.positions[held]
    return structures.with_positions(positions)
