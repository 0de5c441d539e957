"""Tells from coordinates alone whether a relaxation kept the stereochemistry.

Atoms keep their order, so a centre is inverted where the signed volume of its four neighbours changes sign, and a double bond is
turned over where the torsion across it changes from cis to trans. Sulfur, phosphorus, arsenic and selenium with three neighbours
are centres too (sulfoxides): a lone pair stands in the fourth place. Neither change counts if renaming equivalent atoms undoes
it: the hydrogens of a CH2 group may change places, a single stereocentre may not, and a cis ring whose two centres are both
inverted is the same molecule again. So the changes found are checked against the symmetries of the bond graph (elements and
bonds; bond orders are not known from coordinates).

The bonds are those of the first structure. Where the second has others, whether its stereochemistry was kept is unknown.

Shapes: M molecules, A atoms (flat), N atoms of one molecule, C centres.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

import numpy as np
from numpy.typing import ArrayLike, NDArray

from morered.chemistry import molecule_bonds, require_same_atoms, same_bonds
from morered.structures import Structures

#: Below this share of an ideal tetrahedron's volume four neighbours lie too nearly in a plane to tell their handedness.
FLAT = 0.15
#: Largest |cos| of an angle between substituents for which they are still cis or trans.
UPRIGHT = 0.3
#: Sine of the angle at a double bond's end, below which it is nearly straight, as in diazo groups: there is no cis and trans.
STRAIGHT = 0.4
#: Elements that are stereocentres with three neighbours as well: they invert over barriers that no room temperature overcomes.
PYRAMIDAL = (15, 16, 33, 34)
#: Symmetries of a molecule that are tried; small molecules have fewer.
MAX_SYMMETRIES = 5000
#: Å, longest double bonds between two elements (single and aromatic ones are longer).
DOUBLE_BONDS: Mapping[tuple[int, int], float] = {(6, 6): 1.41, (6, 7): 1.33, (7, 7): 1.31}

_IDEAL = 16 / (3 * np.sqrt(3))  # determinant of three edges of a tetrahedron of unit vectors


def stereo_kept(before: Structures, after: Structures, bonds: NDArray[np.int64] | None = None) -> NDArray[np.int8]:
    """Whether each molecule has the same stereochemistry, [M]: 1 yes, 0 no, -1 unknown (the bonds changed).

    A molecule without stereocentres keeps what it has (1). A centre that is flat in one of the structures is left out.
    ``bonds``, rows i < j of the per-atom arrays [E, 2] in order, are those of both; without them they come from the distances.

    Raises
    ------
    ValueError
        If the atoms, or their order, differ.
    """
    require_same_atoms(before, after)
    same = same_bonds(before, after) if bonds is None else np.ones(len(before), bool)
    kept = np.where(same, 1, -1).astype(np.int8)
    finite = np.isfinite(before.positions).all(axis=1) & np.isfinite(after.positions).all(axis=1)
    kept[before.per_molecule_sum((~finite).astype(float)) > 0] = -1
    pairs = molecule_bonds(before).atoms if bonds is None else bonds
    offsets = np.searchsorted(pairs[:, 0], before.offsets)
    degree = np.bincount(pairs.ravel(), minlength=before.n_atoms)
    suspects = _inverted_somewhere(before, after, pairs, degree) | _doubly_bonded(after, pairs, degree)
    for m in np.flatnonzero(suspects & (kept == 1)).tolist():
        start = int(before.offsets[m])
        molecule = before.molecule(m)
        local = pairs[offsets[m] : offsets[m + 1]] - start
        kept[m] = is_same(molecule.numbers, local, molecule.positions, after.molecule(m).positions)
    return kept


def is_same(numbers: ArrayLike, bonds: ArrayLike, before: ArrayLike, after: ArrayLike) -> bool:
    """Whether two geometries [N, 3] (Å) of one molecule, numbers [N] and bonds [E, 2], are the same stereoisomer."""
    molecule = _Molecule(np.asarray(numbers), np.asarray(bonds).reshape(-1, 2))
    return molecule.same(np.asarray(before, np.float64), np.asarray(after, np.float64))


def signed_volumes(
    positions: NDArray[np.floating], centres: NDArray[np.integer], neighbours: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Handedness of centres [C] with neighbours [C, 4], in the neighbours' order: 1 and -1 for ideal tetrahedra, 0 for flat ones.

    Directions alone count, not the bond lengths. A lone pair in the fourth place is told by the centre's own index.
    """
    directions = positions[neighbours].astype(np.float64) - positions[centres].astype(np.float64)[:, None]
    directions = directions / np.maximum(np.linalg.norm(directions, axis=2, keepdims=True), 1e-12)
    lone = neighbours[:, 3] == centres
    directions[lone, 3] = -directions[lone, :3].sum(axis=1)  # of an ideal tetrahedron the direction of the fourth
    return np.linalg.det(directions[:, :3] - directions[:, 3:]) / _IDEAL


# --------------------------------------------------------------------- one molecule


class _Molecule:
    """The bond graph of a molecule: its stereogenic places and its symmetries."""

    def __init__(self, numbers: NDArray[np.integer], bonds: NDArray[np.integer]) -> None:
        self.numbers = numbers
        self.edges: list[tuple[int, int]] = [(i, j) for i, j in bonds.tolist()]
        self.neighbours: list[set[int]] = [set() for _ in numbers]
        for i, j in self.edges:
            self.neighbours[i].add(j)
            self.neighbours[j].add(i)
        self.leaves = [self._leaf_kinds(atom) for atom in range(len(numbers))]

    def same(self, before: NDArray[np.float64], after: NDArray[np.float64]) -> bool:
        """Whether some symmetry of the graph maps the handedness of every centre and double bond onto that after."""
        centres = self._centres(before, after)
        doubles = self._double_bonds(before, after)
        if not centres and not doubles:
            return True
        return any(
            self._maps(symmetry, centres, before, after) and self._maps_doubles(symmetry, doubles, before, after)
            for symmetry in islice(self._symmetries(), MAX_SYMMETRIES)
        )

    # ------------------------------------------------------------- stereogenic places

    def _leaf_kinds(self, atom: int) -> list[int]:
        """Elements of the atom's neighbours that have no other neighbour."""
        return sorted(int(self.numbers[n]) for n in self.neighbours[atom] if len(self.neighbours[n]) == 1)

    def _has_twins(self, atom: int, besides: int | None = None) -> bool:
        """Whether two of its neighbours are equal leaves, which may change places by themselves."""
        kinds = [int(self.numbers[n]) for n in self.neighbours[atom] if len(self.neighbours[n]) == 1 and n != besides]
        return len(kinds) != len(set(kinds))

    def _centres(self, before: NDArray[np.float64], after: NDArray[np.float64]) -> dict[int, tuple[int, ...]]:
        """Atoms of four directions without equal leaves that are tetrahedral in both geometries, with their neighbours."""
        found = {c: tuple(sorted(near)) for c, near in enumerate(self.neighbours) if len(near) == 4 and not self._has_twins(c)}
        for c in np.flatnonzero(np.isin(self.numbers, PYRAMIDAL)).tolist():
            if len(self.neighbours[c]) == 3 and not self._has_twins(c):
                found[c] = (*sorted(self.neighbours[c]), c)
        return {c: n for c, n in found.items() if abs(_volume(before, c, n)) > FLAT and abs(_volume(after, c, n)) > FLAT}

    def _double_bonds(self, before: NDArray[np.float64], after: NDArray[np.float64]) -> list[tuple[int, int]]:
        """Short bonds in no small ring between atoms of two or three neighbours that stay in their plane in both geometries."""
        found = []
        for a, b in self.edges:
            za, zb = sorted((int(self.numbers[a]), int(self.numbers[b])))
            if np.linalg.norm(after[a] - after[b]) > DOUBLE_BONDS.get((za, zb), 0.0):
                continue
            if not (self._is_trigonal(a, b) and self._is_trigonal(b, a)) or self._in_small_ring(a, b):
                continue
            if all(abs(_side(x, *self._quartet(a, b))) > UPRIGHT for x in (before, after)):
                found.append((a, b))
        return found

    def _is_trigonal(self, atom: int, other: int) -> bool:
        degree = {6: (3,), 7: (2,)}.get(int(self.numbers[atom]), ())
        return len(self.neighbours[atom]) in degree and not self._has_twins(atom, besides=other)

    def _in_small_ring(self, a: int, b: int) -> bool:
        """Whether a path of at most six bonds leads from a to b besides their own bond."""
        reached, front = {a}, self.neighbours[a] - {b}
        for _ in range(6):
            if b in front:
                return True
            reached |= front
            front = {n for atom in front for n in self.neighbours[atom]} - reached
        return False

    def _quartet(self, a: int, b: int) -> tuple[int, int, int, int]:
        """One substituent of a, a, b, one substituent of b: the first of each."""
        return min(self.neighbours[a] - {b}), a, b, min(self.neighbours[b] - {a})

    # ------------------------------------------------------------- symmetries

    def _symmetries(self) -> Iterator[dict[int, int]]:
        """Permutations of the atoms that keep elements and bonds, the identity first; equal leaves of one atom are left out."""
        shown = [n for n in range(len(self.numbers)) if not self._is_twin(n)]
        yield {n: n for n in shown}
        import networkx as nx  # 0.1 s, and few molecules come this far
        from networkx.algorithms.isomorphism import GraphMatcher, categorical_node_match

        skeleton = nx.Graph()
        skeleton.add_nodes_from((n, {"z": int(self.numbers[n]), "leaves": tuple(self.leaves[n])}) for n in shown)
        skeleton.add_edges_from((a, b) for a, b in self.edges if a in skeleton and b in skeleton)
        yield from GraphMatcher(skeleton, skeleton, categorical_node_match(["z", "leaves"], [0, ()])).isomorphisms_iter()

    def _is_twin(self, atom: int) -> bool:
        if len(self.neighbours[atom]) != 1:
            return False
        (partner,) = self.neighbours[atom]
        return self.leaves[partner].count(int(self.numbers[atom])) > 1

    def _maps(
        self,
        symmetry: dict[int, int],
        centres: dict[int, tuple[int, ...]],
        before: NDArray[np.float64],
        after: NDArray[np.float64],
    ) -> bool:
        for centre, neighbours in centres.items():
            image = symmetry.get(centre)
            if image not in centres:  # flat in one of the geometries: it tells nothing
                continue
            mapped = tuple(symmetry[n] for n in neighbours)
            if np.sign(_volume(before, centre, neighbours)) != np.sign(_volume(after, image, mapped)):
                return False
        return True

    def _maps_doubles(
        self, symmetry: dict[int, int], doubles: list[tuple[int, int]], before: NDArray[np.float64], after: NDArray[np.float64]
    ) -> bool:
        for a, b in doubles:
            quartet = self._quartet(a, b)
            mapped = tuple(symmetry[n] for n in quartet)
            if np.sign(_side(before, *quartet)) != np.sign(_side(after, *mapped)):
                return False
        return True


def _volume(positions: NDArray[np.float64], centre: int, neighbours: tuple[int, ...]) -> float:
    return float(signed_volumes(positions, np.array([centre]), np.array([neighbours]))[0])


def _side(positions: NDArray[np.float64], i: int, a: int, b: int, j: int) -> float:
    """Cosine of the torsion i-a-b-j: near 1 for cis, near -1 for trans, 0 where a substituent lies nearly along the bond."""
    axis = positions[b] - positions[a]
    axis = axis / max(np.linalg.norm(axis), 1e-12)
    arms = positions[i] - positions[a], positions[j] - positions[b]
    u, v = (arm - (arm @ axis) * axis for arm in arms)
    sizes = float(np.linalg.norm(u)), float(np.linalg.norm(v))
    if any(size <= STRAIGHT * float(np.linalg.norm(arm)) for size, arm in zip(sizes, arms, strict=True)):
        return 0.0
    return float(u @ v) / (sizes[0] * sizes[1])


# --------------------------------------------------------------------- many molecules: who needs a closer look


def _inverted_somewhere(
    before: Structures, after: Structures, pairs: NDArray[np.int64], degree: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Molecules in which the signed volume of some centre changes sign, [M]."""
    suspects = np.zeros(len(before), dtype=bool)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    centres = np.flatnonzero(degree == 4)
    neighbours = both[np.isin(both[:, 0], centres), 1].reshape(-1, 4)
    pyramidal = np.flatnonzero((degree == 3) & np.isin(before.numbers, PYRAMIDAL))
    three = both[np.isin(both[:, 0], pyramidal), 1].reshape(-1, 3)
    centres = np.concatenate([centres, pyramidal])
    neighbours = np.concatenate([neighbours, np.column_stack([three, pyramidal])])
    if not len(centres):
        return suspects
    with np.errstate(invalid="ignore"):
        changed = signed_volumes(before.positions, centres, neighbours) * signed_volumes(after.positions, centres, neighbours) < 0
    suspects[before.molecule_index[centres[changed]]] = True
    return suspects


def _doubly_bonded(structures: Structures, pairs: NDArray[np.int64], degree: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Molecules with a bond short enough to be a double bond between trigonal atoms, [M]."""
    suspects = np.zeros(len(structures), dtype=bool)
    longest = np.zeros((256, 256))
    for (first, second), length in DOUBLE_BONDS.items():
        longest[first, second] = longest[second, first] = length
    trigonal = ((structures.numbers == 6) & (degree == 3)) | ((structures.numbers == 7) & (degree == 2))
    a, b = pairs[:, 0], pairs[:, 1]
    with np.errstate(invalid="ignore"):
        lengths = np.linalg.norm(structures.positions[a] - structures.positions[b], axis=1)
    short = (lengths <= longest[structures.numbers[a], structures.numbers[b]]) & trigonal[a] & trigonal[b]
    suspects[structures.molecule_index[a[short]]] = True
    return suspects
