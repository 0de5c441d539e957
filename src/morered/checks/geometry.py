"""Lengths, angles and contacts of molecules against the ranges of their kinds.

The ranges (`ranges.json`, made by `scripts/build_ranges.py`) are those of known minima, widened. A kind that was not among them
is held to wide limits: 0.65 to 1.35 times the covalent radii for a length, 40 degrees for an angle.

Shapes: M molecules, A atoms (flat), E bonds, G angles, P pairs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from ase.data import chemical_symbols
from ase.data.vdw import vdw_radii as _vdw_radii
from numpy.typing import NDArray

from morered.checks.bonds import Bonded, by_distance, distances, found, keys, kind_of
from morered.chemistry import covalent_radii, molecule_bonds
from morered.electrons import unpaired_electrons
from morered.structures import Structures

#: Share of the sum of two atoms' van der Waals radii (Alvarez' where ASE has no other) below which they cannot come.
CONTACT = 0.55
#: The same for hydrogen and an acceptor of it: hydrogen bonds of ions are as short as 1.2 Å.
HYDROGEN_BOND = 0.42
ACCEPTORS = (7, 8, 9)
#: Lengths of kinds that are not in the table, over the sum of the covalent radii; angles of such kinds in degrees.
RELATIVE_LENGTHS = (0.65, 1.35)
LEAST_ANGLE = 40.0
#: Degrees, the least angle at a carbon atom with two neighbours that has a lone electron or pair.
BENT = 95.0
#: Å and degrees that count as one fault of like size, where faults are compared.
UNIT_LENGTH, UNIT_ANGLE = 0.1, 10.0

_RADII = np.nan_to_num(np.array(_vdw_radii, np.float64), nan=2.0)


@dataclass(frozen=True, eq=False)
class Faults:
    """What is outside its range.

    Attributes
    ----------
    molecules : NDArray
        [F], the molecule of each.
    excess : NDArray
        [F], how far it is outside, in units of `UNIT_LENGTH` or `UNIT_ANGLE`.
    tell : callable
        A sentence for the f-th of them.
    atoms : NDArray
        [F, K], the atoms of each, as rows of the per-atom arrays.
    """

    molecules: NDArray[np.int64]
    excess: NDArray[np.float64]
    tell: Callable[[int], str]
    atoms: NDArray[np.int64]

    def beside(self, frozen: NDArray[np.bool_]) -> Faults:
        """Those that are not of frozen atoms, [A], alone: these are as they were given."""
        kept = np.flatnonzero(~frozen[self.atoms].all(axis=1))
        return Faults(self.molecules[kept], self.excess[kept], lambda f: self.tell(int(kept[f])), self.atoms[kept])

    def total(self, n_molecules: int) -> NDArray[np.float64]:
        """Sum of the excess of each molecule, [M]; 0 where nothing is outside."""
        return np.bincount(self.molecules, weights=self.excess, minlength=n_molecules)

    def worst(self) -> dict[int, str]:
        """A sentence on the largest excess of each molecule that has one."""
        order = np.lexsort((-self.excess, self.molecules))
        first = order[np.unique(self.molecules[order], return_index=True)[1]] if len(order) else order
        return {int(self.molecules[f]): self.tell(int(f)) for f in first}


def lengths(bonded: Bonded) -> Faults:
    """Bonds whose length is outside the range of their kind."""
    structures, pairs = bonded.structures, bonded.pairs
    found_lengths = distances(structures, pairs)
    kinds = np.sort(bonded.kinds[pairs], axis=1)
    low, high = _ranges("lengths", pair_code(kinds[:, 0], kinds[:, 1]))
    radii = covalent_radii[structures.numbers[pairs]].sum(axis=1)
    low = np.where(np.isnan(low), RELATIVE_LENGTHS[0] * radii, low)
    high = np.where(np.isnan(high), RELATIVE_LENGTHS[1] * radii, high)
    excess = np.maximum(low - found_lengths, found_lengths - high)
    off = np.flatnonzero(excess > 0)

    def tell(f: int) -> str:
        e = off[f]
        return f"the bond {_named(structures, pairs[e])} is {found_lengths[e]:.2f} Å, {low[e]:.2f} to {high[e]:.2f} Å is usual"

    return Faults(structures.molecule_index[pairs[off, 0]], excess[off] / UNIT_LENGTH, tell, pairs[off])


def angles(bonded: Bonded) -> Faults:
    """Angles outside the range of their kind."""
    structures = bonded.structures
    ends, centres = angle_atoms(bonded)
    found_angles = angle_degrees(structures.positions, ends, centres)
    low, high = _ranges("angles", angle_codes(bonded, ends, centres))
    plain_low, plain_high = _ranges("centres", bonded.kinds[centres] * 4 + ring_kinds(bonded, ends, centres))
    low = np.where(np.isnan(low), np.where(np.isnan(plain_low), LEAST_ANGLE, plain_low), low)
    high = np.where(np.isnan(high), np.where(np.isnan(plain_high), 180.0, plain_high), high)
    low = np.where(_bent_carbon(bonded, centres), np.minimum(low, BENT), low)
    excess = np.maximum(low - found_angles, found_angles - high)
    off = np.flatnonzero(excess > 0)

    def tell(f: int) -> str:
        g = off[f]
        atoms = np.array([ends[g, 0], centres[g], ends[g, 1]])
        return f"the angle {_named(structures, atoms)} is {found_angles[g]:.0f}°, {low[g]:.0f}° to {high[g]:.0f}° is usual"

    return Faults(
        structures.molecule_index[centres[off]], excess[off] / UNIT_ANGLE, tell, np.column_stack([ends[off], centres[off]])
    )


def _bent_carbon(bonded: Bonded, centres: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Angles at carbon with two neighbours of a radical or an anion, [G]: straight in a triple bond, bent at a lone electron."""
    structures = bonded.structures
    lone = (unpaired_electrons(structures) > 0) | (structures.charges < 0)
    carbon = (structures.numbers == 6) & (bonded.degree == 2)
    return (lone[structures.molecule_index] & carbon)[centres]


def contacts(bonded: Bonded) -> Faults:
    """Pairs three bonds apart or more that are nearer than `CONTACT` (`HYDROGEN_BOND`) times their van der Waals radii."""
    structures = bonded.structures
    n = structures.n_atoms
    # The largest limit over the smallest sum of covalent radii bounds the search; H...H sets it.
    pairs = _near_pairs(structures)
    numbers = structures.numbers[pairs]
    bridged = (numbers == 1).any(axis=1) & np.isin(numbers, ACCEPTORS).any(axis=1)
    limits = np.where(bridged, HYDROGEN_BOND, CONTACT) * _RADII[numbers].sum(axis=1)
    near = distances(structures, pairs)
    close = near < limits
    pairs, limits, near = pairs[close], limits[close], near[close]
    ends, _ = angle_atoms(bonded)
    linked = np.concatenate([keys(bonded.pairs, n), keys(ends, n)])
    apart = ~found(keys(pairs, n), linked)
    pairs, limits, near = pairs[apart], limits[apart], near[apart]

    def tell(f: int) -> str:
        return f"{_named(structures, pairs[f], ' and ')} are {near[f]:.2f} Å apart, at least {limits[f]:.2f} Å is possible"

    return Faults(structures.molecule_index[pairs[:, 0]], (limits - near) / UNIT_LENGTH, tell, pairs)


# --------------------------------------------------------------------- angles and their kinds


def angle_atoms(bonded: Bonded) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Both ends [G, 2] and the centre [G] of every angle."""
    neighbours, starts = bonded.neighbours
    ends, centres = [np.empty((0, 2), np.int64)], [np.empty(0, np.int64)]
    for degree in np.unique(bonded.degree[bonded.degree > 1]).tolist():
        atoms = np.flatnonzero(bonded.degree == degree)
        around = neighbours[starts[atoms][:, None] + np.arange(degree)]
        first, second = np.triu_indices(degree, k=1)
        ends.append(np.stack([around[:, first], around[:, second]], axis=2).reshape(-1, 2))
        centres.append(np.repeat(atoms, len(first)))
    return np.concatenate(ends), np.concatenate(centres)


def ring_kinds(bonded: Bonded, ends: NDArray[np.int64], centres: NDArray[np.int64]) -> NDArray[np.int64]:
    """1 for angles within a ring of three atoms, 2 within a ring of four, 0 for all others; [G]."""
    n = bonded.structures.n_atoms
    three = bonded.has(ends)
    # A ring of four: the same two ends have another centre.
    key = keys(ends, n)
    _, inverse, counts = np.unique(key, return_inverse=True, return_counts=True)
    return np.where(three, 1, np.where(counts[inverse] > 1, 2, 0)).astype(np.int64)


def angle_codes(bonded: Bonded, ends: NDArray[np.int64], centres: NDArray[np.int64]) -> NDArray[np.int64]:
    """Kind of each angle, [G]: of the centre, of both ends, and of the ring."""
    kinds = np.sort(bonded.kinds[ends], axis=1)
    return (pair_code(kinds[:, 0], kinds[:, 1]) * 4096 + bonded.kinds[centres]) * 4 + ring_kinds(bonded, ends, centres)


def pair_code(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Two kinds of atoms, the smaller first, as one number."""
    return first * 4096 + second


def angle_degrees(positions: NDArray[np.floating], ends: NDArray[np.int64], centres: NDArray[np.int64]) -> NDArray[np.float64]:
    """Degrees, [G]."""
    first, second = (positions[ends[:, k]].astype(np.float64) - positions[centres] for k in (0, 1))
    cross = np.linalg.norm(np.cross(first, second), axis=1)
    return np.degrees(np.arctan2(cross, (first * second).sum(axis=1)))


# --------------------------------------------------------------------- ranges and names


@cache
def _table(section: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sorted codes [K] and their ranges [K, 2]."""
    entries = json.loads((files("morered.checks") / "ranges.json").read_text())[section]
    codes = np.array([code_of(section, name) for name in entries], np.int64)
    order = np.argsort(codes)
    return codes[order], np.array([entry[:2] for entry in entries.values()], np.float64)[order]


def code_of(section: str, name: str) -> int:
    """The code of an entry of `ranges.json`: "C3-O1" (lengths), "H1-C4-H1 0" (angles; the ring behind it), "C4 0" (centres)."""
    atoms, _, ring = name.partition(" ")
    kinds = [kind_of(part) for part in atoms.split("-")]
    if section == "centres":
        return kinds[0] * 4 + int(ring)
    ends = sorted((kinds[0], kinds[-1]))
    pair = ends[0] * 4096 + ends[1]
    return pair if section == "lengths" else (pair * 4096 + kinds[1]) * 4 + int(ring)


def _ranges(section: str, codes: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper ends of the ranges of these codes; NaN for a code that is not in the table."""
    known, ranges = _table(section)
    place = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    values = np.where((known[place] == codes)[:, None], ranges[place], np.nan)
    return values[:, 0], values[:, 1]


def _near_pairs(structures: Structures) -> NDArray[np.int64]:
    """Pairs that can be nearer than their limit, [P, 2], and more."""
    numbers = np.unique(structures.numbers)
    if not len(numbers):
        return np.empty((0, 2), np.int64)
    vdw, covalent = _RADII[numbers], covalent_radii[numbers]
    scale = float((CONTACT * (vdw[:, None] + vdw) / (covalent[:, None] + covalent)).max())
    return molecule_bonds(structures, scale).atoms


def _named(structures: Structures, atoms: NDArray[np.int64], between: str = "-") -> str:
    """Atoms by element and number, from 1."""
    start = structures.offsets[structures.molecule_index[atoms[0]]]
    return between.join(f"{chemical_symbols[structures.numbers[a]]}{a - start + 1}" for a in atoms)


def faults(bonded: Bonded) -> Iterator[tuple[str, Faults]]:
    """Each check of the geometry by name, with its faults."""
    for name, function in (("contacts", contacts), ("lengths", lengths), ("angles", angles)):
        yield name, function(bonded)


def strain(structures: Structures) -> NDArray[np.float64]:
    """How far the geometry of each molecule is outside the ranges of its kinds, [M]: 0 within, 1 for 0.1 Å or 10 degrees."""
    bonded = by_distance(structures.without_columns())
    return sum((fault.total(len(structures)) for _, fault in faults(bonded)), np.zeros(len(structures)))
