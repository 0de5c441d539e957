"""Bonds with their kinds: who is bonded to whom, and how each atom is coordinated.

The kind of an atom is its element and its number of neighbours: C4 is a tetrahedral carbon, O1 the oxygen of a carbonyl, S3 the
sulfur of a sulfoxide. Bond orders, which distances do not tell, are not needed: coordination tells most of what they would.

Shapes: A atoms (flat), E bonds, P pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from morered.chemistry import HYDROGEN_RADIUS, covalent_radii, molecule_bonds
from morered.structures import Structures, offsets_of

#: Neighbours of an atom that are counted; more than this is one kind.
MAX_NEIGHBOURS = 15
#: Neighbours of an atom, at most, by element.
MOST = {1: 1, 6: 4, 7: 4, 8: 3, 9: 1}
#: Atomic numbers of elements that form covalent bonds of a length that their radii tell.
COVALENT = np.array([1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 33, 34, 35, 53])

_MOST = np.full(256, MAX_NEIGHBOURS)
_MOST[list(MOST)] = list(MOST.values())


@dataclass(frozen=True, eq=False)
class Bonded:
    """Molecules with bonds.

    Attributes
    ----------
    structures : Structures
        The molecules.
    pairs : NDArray
        [E, 2], rows i < j of the per-atom arrays, in order.
    """

    structures: Structures
    pairs: NDArray[np.int64]

    @cached_property
    def degree(self) -> NDArray[np.int64]:
        """Neighbours of each atom, [A]."""
        return np.bincount(self.pairs.ravel(), minlength=self.structures.n_atoms)

    @cached_property
    def kinds(self) -> NDArray[np.int64]:
        """Kind of each atom, [A]: 16 times the atomic number and the number of neighbours."""
        return self.structures.numbers.astype(np.int64) * 16 + np.minimum(self.degree, MAX_NEIGHBOURS)

    @cached_property
    def neighbours(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Neighbours of all atoms one after another [2 E], and where those of each atom begin [A + 1]."""
        both = np.concatenate([self.pairs, self.pairs[:, ::-1]])
        return both[np.lexsort((both[:, 1], both[:, 0])), 1], offsets_of(self.degree)

    def has(self, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether pairs of atoms [P, 2] are bonded, [P]."""
        return found(keys(pairs, self.structures.n_atoms), keys(self.pairs, self.structures.n_atoms))


def by_distance(structures: Structures) -> Bonded:
    """Bonds from the distances (`morered.chemistry.molecule_bonds`), without those that no valence is left for."""
    return Bonded(structures, pruned(structures, molecule_bonds(structures).atoms))


def pruned(structures: Structures, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs [E, 2] without the relatively longest bonds of atoms that have more than `MOST` of them.

    Distances across small rings look like bonds: 1.9 Å from carbon to carbon in bicyclo[1.1.1]pentane.
    """
    most = _MOST[structures.numbers]
    while len(pairs):
        crowded = np.bincount(pairs.ravel(), minlength=structures.n_atoms) > most
        candidates = np.flatnonzero(crowded[pairs].any(axis=1))
        if not len(candidates):
            break
        # The longest at each crowded atom; several at once where they share no atom with a longer one.
        length = relative_lengths(structures, pairs[candidates])
        longest = np.zeros(structures.n_atoms)
        for end in (0, 1):
            np.maximum.at(longest, pairs[candidates, end], length)
        ends = pairs[candidates]
        goes = ((longest[ends] == length[:, None]) & crowded[ends]).any(axis=1)
        pairs = np.delete(pairs, candidates[goes], axis=0)
    return pairs


def relative_lengths(structures: Structures, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance of each pair of atoms over the sum of their covalent radii, [P]."""
    radii = covalent_radii[structures.numbers[pairs]].sum(axis=1)
    of_two = structures.sizes[structures.molecule_index[pairs[:, 0]]] == 2
    radii = np.where(of_two & (structures.numbers[pairs] == 1).all(axis=1), 2 * HYDROGEN_RADIUS, radii)
    return distances(structures, pairs) / radii


def distances(structures: Structures, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance of each pair of atoms [P, 2] in Å, [P]."""
    points = structures.positions
    return np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)


def keys(pairs: NDArray[np.int64], n_atoms: int) -> NDArray[np.int64]:
    """A number for each pair of atoms [P, 2], whatever their order, [P]."""
    return pairs.min(axis=1, initial=n_atoms) * n_atoms + pairs.max(axis=1, initial=0)


def found(wanted: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of ``wanted`` are in ``among``, sorted here."""
    if not len(among):
        return np.zeros(len(wanted), bool)
    among = np.sort(among)
    return among[np.minimum(np.searchsorted(among, wanted), len(among) - 1)] == wanted


def kind_name(kind: int) -> str:
    """C4 for a carbon with four neighbours."""
    return f"{chemical_symbols[kind // 16]}{kind % 16}"


def kind_of(name: str) -> int:
    """The number of a kind by its name."""
    symbol = name.rstrip("0123456789")
    return chemical_symbols.index(symbol) * 16 + int(name[len(symbol) :])
