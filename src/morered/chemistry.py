"""Bonds, fragments and contacts from coordinates alone.

Two atoms are bonded where they are nearer than `BOND_SCALE` times the sum of their covalent radii (Cordero et al.,
Dalton Trans. 2008, 2832, as ASE ships them).

Shapes: M molecules, A atoms (flat), N atoms of one molecule, B molecules of one size, E bonds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from ase.data import covalent_radii as _ase_radii
from numpy.typing import ArrayLike, NDArray

from morered.structures import Block, Structures

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

BOND_SCALE = 1.25
COINCIDING = 0.01
"""Å. Atoms nearer than this are one atom written twice, and no method can tell in which direction to part them. Not larger, since
structures diffused to noise must pass: of 20 atoms in unit Gaussian noise, two are nearer than 0.1 Å in every 50th structure,
nearer than 0.01 Å in every 50 000th."""
_DENSE_ATOMS = 512  # above this, neighbours are searched with a tree instead of among all pairs
_MAX_PAIRS = 1 << 21  # pairs of atoms held at once: 50 MB of distances and differences

covalent_radii: NDArray[np.float64] = np.array(_ase_radii, dtype=np.float64)
"""Covalent radius in Å by atomic number, [119]; index 0 is no atom."""


HYDROGEN_RADIUS = 0.37
"""Å, half of the length of H2, for which the covalent radius of hydrogen (0.31 Å) is too short."""


class Bonds(NamedTuple):
    """Bonds of many molecules: pairs of rows of the per-atom arrays [E, 2], molecule m's at offsets[m]:offsets[m+1]."""

    atoms: NDArray[np.int64]
    offsets: NDArray[np.int64]


# --------------------------------------------------------------------- one molecule


def bonds(numbers: ArrayLike, positions: ArrayLike, scale: float = BOND_SCALE) -> NDArray[np.int64]:
    """Bonded pairs i < j, [E, 2], of one molecule: numbers [N], positions [N, 3] in Å."""
    return molecule_bonds(_single(numbers, positions), scale).atoms


# --------------------------------------------------------------------- many molecules


def molecule_bonds(structures: Structures, scale: float = BOND_SCALE) -> Bonds:
    """Bonds of all molecules, ordered by molecule and within it by atom."""
    pairs = [np.empty((0, 2), np.int64)]
    for block, first, second, bonded in _bonded_pairs(structures, scale):
        row, pair = np.nonzero(bonded)
        pairs.append(np.stack([block.atoms[row, first[pair]], block.atoms[row, second[pair]]], axis=1))
    pairs += [_tree_bonds(structures, m, scale) for m in _large(structures)]
    atoms = np.concatenate(pairs)
    atoms = atoms[np.lexsort((atoms[:, 1], atoms[:, 0]))]
    return Bonds(atoms, np.searchsorted(atoms[:, 0], structures.offsets))


def component_firsts(pairs: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """First member of the connected component that each of n nodes belongs to, [n], from the edges ``pairs`` [E, 2].

    Each round gives a root the least root among its neighbours, then follows all nodes to their roots: the rounds grow with the
    logarithm of the longest path. SciPy's routine does the same, but is slow to import.
    """
    root = np.arange(n)
    while len(pairs):
        ends = root[pairs]
        low, high = ends.min(axis=1), ends.max(axis=1)
        pairs = pairs[low < high]
        np.minimum.at(root, high, low)
        while (further := root[root]).tolist() != root.tolist():
            root = further
    return root


def closest_contacts(structures: Structures) -> NDArray[np.float64]:
    """Shortest distance between two atoms of each molecule in Å, [M]; NaN for fewer than two atoms."""
    closest = np.full(len(structures), np.nan)
    for block, _, _, distances in _pair_distances(structures):
        closest[block.molecules] = distances.min(axis=1, initial=np.inf, where=~np.isnan(distances))
        closest[block.molecules[np.isnan(distances).all(axis=1)]] = np.nan
    for m in _large(structures):
        points = _finite(structures.molecule(m).positions)
        if len(points) > 1:
            closest[m] = _tree(points).query(points, k=2)[0][:, 1].min()
    return closest


def same_bonds(a: Structures, b: Structures, scale: float = BOND_SCALE) -> NDArray[np.bool_]:
    """Whether each molecule has the same bonds in ``a`` and ``b``, [M]; the atoms must be the same in the same order.

    Raises
    ------
    ValueError
        If the atoms differ.
    """
    require_same_atoms(a, b)
    same = np.zeros(len(a), dtype=bool)
    same[a.sizes < 2] = True
    for (block, _, _, in_a), (_, _, _, in_b) in zip(_bonded_pairs(a, scale), _bonded_pairs(b, scale), strict=True):
        same[block.molecules] = (in_a == in_b).all(axis=1)
    for m in _large(a):
        same[m] = np.array_equal(_tree_bonds(a, m, scale), _tree_bonds(b, m, scale))
    return same


def require_same_atoms(a: Structures, b: Structures) -> None:
    """Refuse two containers that do not hold the same atoms in the same order.

    Raises
    ------
    ValueError
        Names the first molecule that differs.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} molecules cannot be compared with {len(b)}")
    if not np.array_equal(a.offsets, b.offsets):
        m = int(np.flatnonzero(a.sizes != b.sizes)[0])
        raise ValueError(f"molecule {m + 1} ({a.ids[m].decode()}) has {a.sizes[m]} atoms here and {b.sizes[m]} there")
    if not np.array_equal(a.numbers, b.numbers):
        atom = int(np.flatnonzero(a.numbers != b.numbers)[0])
        m = int(np.searchsorted(a.offsets, atom, side="right")) - 1
        raise ValueError(f"molecule {m + 1} ({a.ids[m].decode()}) has other elements, or another order of atoms, here and there")


# --------------------------------------------------------------------- internals


def _single(numbers: ArrayLike, positions: ArrayLike) -> Structures:
    return Structures.build([numbers], [positions], ["molecule"])


def _large(structures: Structures) -> list[int]:
    return np.flatnonzero(structures.sizes > _DENSE_ATOMS).tolist()


def _pair_distances(
    structures: Structures,
) -> Iterator[tuple[Block, NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
    """Blocks of equal size with the pairs i < j and their distances [B, pairs] in Å; large and single-atom ones left out."""
    for block in structures.blocks(_MAX_PAIRS, per_atom=False):
        n = block.atoms.shape[1]
        if not 2 <= n <= _DENSE_ATOMS:
            continue
        first, second = np.triu_indices(n, k=1)
        points = structures.positions[block.atoms].astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):  # inf - inf: a NaN distance, which is no bond and no contact
            yield block, first, second, np.linalg.norm(points[:, first] - points[:, second], axis=2)


def _bonded_pairs(
    structures: Structures, scale: float
) -> Iterator[tuple[Block, NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]]:
    """As `_pair_distances`, with whether each pair is bonded."""
    for block, first, second, distances in _pair_distances(structures):
        radii = covalent_radii[structures.numbers[block.atoms]]
        if block.atoms.shape[1] == 2:
            radii = np.where((structures.numbers[block.atoms] == 1).all(axis=1)[:, None], HYDROGEN_RADIUS, radii)
        yield block, first, second, distances < scale * (radii[:, first] + radii[:, second])


def _tree_bonds(structures: Structures, m: int, scale: float) -> NDArray[np.int64]:
    """Bonds of one large molecule as rows of the per-atom arrays, [E, 2]."""
    molecule = structures.molecule(m)
    radii, points = covalent_radii[molecule.numbers], molecule.positions.astype(np.float64)
    finite = np.flatnonzero(np.isfinite(points).all(axis=1))
    pairs = finite[_tree(points[finite]).query_pairs(scale * 2 * radii.max(), output_type="ndarray")]
    distances = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    pairs = np.sort(pairs[distances < scale * radii[pairs].sum(axis=1)], axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))] + structures.offsets[m]


def _tree(points: NDArray[np.floating]) -> cKDTree:
    from scipy.spatial import cKDTree  # slow to import, and needed by large molecules only

    return cKDTree(points)


def _finite(points: NDArray[np.floating]) -> NDArray[np.floating]:
    return points[np.isfinite(points).all(axis=1)]
