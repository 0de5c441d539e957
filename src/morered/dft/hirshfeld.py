"""Hirshfeld's partition of a molecular density (Hirshfeld 1977) and the volume ratios of Tkatchenko and Scheffler (2009, Eq. 7).

w_a(r) = n_a(r - R_a) / sum_b n_b(r - R_b)
volume ratio of a = int |r - R_a|³ w_a(r) n(r) dr / int r³ n_a(r) dr
charge of a = Z_a - int w_a(r) n(r) dr, Z_a without the core electrons that an effective core potential stands for
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from morered.dft.free_atoms import free_atom
from morered.dft.pbe0 import on_host

#: Grid points handled at once: bounds the memory of orbitals on the grid.
BLOCK = 20_000


class Partition(NamedTuple):
    """Volume ratios [N], charges [N] in e, and the electrons that the grid's quadrature finds."""

    volume_ratios: NDArray[np.floating]
    charges: NDArray[np.floating]
    electrons: float


def partition(
    system: object, grids: object, density_matrix: NDArray[np.floating], numbers: ArrayLike, functional: str, basis: str
) -> Partition:
    """Hirshfeld's partition of one molecule.

    Parameters
    ----------
    system, grids
        PySCF's molecule and integration grid.
    density_matrix
        [n_ao, n_ao], both spins together.
    numbers
        Atomic numbers [N].
    functional, basis
        Those of the density: the free atoms are computed with the same.
    """
    from pyscf import dft

    numbers = np.asarray(numbers, dtype=int)
    centres = system.atom_coords()  # type: ignore[attr-defined]
    if grids.coords is None:  # type: ignore[attr-defined]
        grids.build()  # type: ignore[attr-defined]
    all_points, all_weights = on_host(grids.coords), on_host(grids.weights)  # type: ignore[attr-defined]
    atoms = [free_atom(int(z), functional, basis) for z in numbers]
    volumes, populations = np.zeros(len(numbers)), np.zeros(len(numbers))
    for start in range(0, len(all_weights), BLOCK):
        points = all_points[start : start + BLOCK]
        weights = all_weights[start : start + BLOCK]
        orbitals = dft.numint.eval_ao(system, points)
        density = np.einsum("pi,pi->p", orbitals @ density_matrix, orbitals) * weights
        radii = np.linalg.norm(points[None] - centres[:, None], axis=-1)  # [N, points]
        free = np.stack([atom.at(r) for atom, r in zip(atoms, radii, strict=True)])
        share = free / np.maximum(free.sum(axis=0), 1e-300) * density
        volumes += np.sum(radii**3 * share, axis=1)
        populations += np.sum(share, axis=1)
    ratios = volumes / np.array([atom.volume for atom in atoms])
    return Partition(ratios, system.atom_charges() - populations, float(populations.sum()))  # type: ignore[attr-defined]
