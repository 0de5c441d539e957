"""Finds inputs that are no molecule's geometry, and says why and what to do.

A drawing is flat, a crystal structure lacks its hydrogens, an atom's name is taken for its element: what comes of such an input
is no result, whatever the method. Distorted molecules pass: each rule needs bonds that distances, or the source, tell.

Shapes: M molecules, A atoms (flat), E bonds.
"""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from morered.checks.bonds import Bonded, distances, pruned, relative_lengths
from morered.checks.geometry import angle_atoms, angle_degrees, strain
from morered.checks.identity import APART, FIRM, readable
from morered.checks.known import stated_bonds
from morered.chemistry import covalent_radii, molecule_bonds
from morered.structures import Structures

#: Å, largest distance from their plane (root mean square) of atoms that lie in one.
FLAT = 1e-3
#: Faults of the geometry (`morered.checks.geometry`) from which a flat molecule is a drawing.
DRAWN = 3.0
#: Å, longest bond of a carbon that needs no other neighbour (C=O and C=N with three bonds: 1.13 and 1.17).
TRIPLE = 1.3
#: Degrees: a carbon with two neighbours is straight, and the angles at one with three add up to 360, or nearly so.
STRAIGHT, PLANAR = 145.0, 340.0
#: Times the covalent radii: pairs that are nearer, or further and still near, are in a displaced molecule.
STRETCHED = (0.85, 1.2)
#: Times the covalent radii: nearer than this no atom of an element has a neighbour.
TOO_NEAR = 0.75

FLAT_REASON = (
    "all of its atoms lie in a plane in which this molecule cannot lie: a flat drawing, no geometry. --embed makes one "
    "(in Python RDKit's EmbedMolecule), or give its SMILES with -s"
)


def improper(structures: Structures) -> list[str | None]:
    """Why each molecule is no proper one, [M]; None for one that is.

    ``structures`` may have stated bonds (`morered.checks.known`); coordinates are finite.
    """
    reasons: list[str | None] = [None] * len(structures)
    bare = structures.without_columns()
    near = molecule_bonds(bare, APART).atoms
    ratio = relative_lengths(bare, near)
    legible = readable(bare, near, ratio)
    _, stated = stated_bonds(structures)  # whoever read them has counted the hydrogens that they ask for
    for m, count in _bare_carbons(bare, near, ratio, legible & ~stated).items():
        reasons[m] = (
            f"{count} of its carbon atoms have too few neighbours: hydrogens are missing. --add-hydrogens adds them where the "
            "source states bonds (in Python RDKit's AddHs with addCoords=True), or give its SMILES with -s"
        )
    for m in _drawn(structures, legible):
        reasons[m] = reasons[m] or FLAT_REASON
    return reasons


# --------------------------------------------------------------------- flat drawings


def _drawn(structures: Structures, legible: NDArray[np.bool_]) -> list[int]:
    """Molecules that are flat though they cannot be."""
    flat = np.flatnonzero(_is_flat(structures) & (structures.sizes > 3))
    if not len(flat):
        return []
    chosen = structures[flat]
    bare = chosen.without_columns()
    stated, _ = stated_bonds(chosen)
    pairs = np.concatenate([stated, pruned(bare, molecule_bonds(bare).atoms)])
    degree = np.bincount(np.unique(pairs, axis=0).ravel(), minlength=bare.n_atoms)
    tetrahedral = bare.per_molecule_sum(((degree == 4) & np.isin(bare.numbers, (6, 7, 14))).astype(np.float64)) > 0
    impossible = ~legible[flat] | tetrahedral | (strain(bare) > DRAWN)
    return flat[impossible].tolist()


def _is_flat(structures: Structures) -> NDArray[np.bool_]:
    """Whether the atoms of each molecule lie in a plane, [M]."""
    centred = structures.without_columns().centred()
    x = centred.positions.astype(np.float64)
    moments = centred.per_molecule_mean(x[:, :, None] * x[:, None, :])
    return np.linalg.eigvalsh(moments)[:, 0] < FLAT**2


# --------------------------------------------------------------------- missing hydrogens


def _bare_carbons(
    structures: Structures, near: NDArray[np.int64], ratio: NDArray[np.float64], legible: NDArray[np.bool_]
) -> dict[int, int]:
    """Molecules with carbon atoms that have too few neighbours, and how many they have.

    One such atom among hydrogens may be a radical, an ion or a carbene, of which the electrons tell. Where bonds are stretched,
    as in a displaced molecule, neighbours may only be far.
    """
    stretched = np.zeros(len(structures), bool)
    stretched[structures.molecule_index[near[(ratio > STRETCHED[1]) | (ratio < STRETCHED[0]), 0]]] = True
    bonded = Bonded(structures, near)  # the longest that may be bonds: a stretched one is none that is missing
    carbon = structures.numbers == 6
    lacks = carbon & (bonded.degree == 0)
    neighbours, starts = bonded.neighbours
    single = np.flatnonzero(carbon & (bonded.degree == 1))
    lacks[single] = distances(structures, np.stack([single, neighbours[starts[single]]], axis=1)) > TRIPLE
    ends, centres = angle_atoms(bonded)
    angle = angle_degrees(structures.positions, ends, centres)
    total = np.bincount(centres, weights=angle, minlength=structures.n_atoms)
    lacks |= carbon & (bonded.degree == 2) & (total < STRAIGHT)
    lacks |= carbon & (bonded.degree == 3) & (total < PLANAR)
    counts = structures.per_molecule_sum(lacks.astype(np.float64))
    hydrogens = structures.per_molecule_sum((structures.numbers == 1).astype(np.float64))
    wrong = legible & (((counts > 1) & ~stretched) | ((counts > 0) & (hydrogens == 0)))
    return {m: int(counts[m]) for m in np.flatnonzero(wrong).tolist()}


# --------------------------------------------------------------------- names taken for elements


def misread(structures: Structures) -> dict[int, str]:
    """What to say of molecules with an atom too near to its neighbour for its element, but not for that of its first letter."""
    told: dict[int, str] = {}
    meant = _MEANT[structures.numbers]
    for a in np.flatnonzero(meant).tolist():
        m = int(structures.molecule_index[a])
        others = np.arange(structures.offsets[m], structures.offsets[m + 1])
        others = others[others != a]
        if m in told or not len(others):
            continue
        with np.errstate(invalid="ignore", over="ignore"):  # files hold any number
            apart = np.linalg.norm(structures.positions[others] - structures.positions[a], axis=1)
        nearest = others[int(apart.argmin())]
        radius = _RADII[structures.numbers[nearest]]
        as_it_is = apart.min() / (_RADII[structures.numbers[a]] + radius)
        as_meant = apart.min() / (_RADII[meant[a]] + radius)
        unknown = structures.numbers[a] > _LAST_RADIUS
        if (as_it_is < TOO_NEAR or unknown) and 0.8 < as_meant < FIRM:
            symbol, first = chemical_symbols[structures.numbers[a]], chemical_symbols[meant[a]]
            told[m] = (
                f"its atom {a - structures.offsets[m] + 1} is no {symbol}, {apart.min():.2f} Å from its neighbour, but {first}: "
                f"the name {symbol.upper()} of an atom was read as its element. Write the element into the file"
            )
    return told


#: Covalent radii of all numbers that an atom can be given, Å; of those beyond the elements, that of an unknown one.
_RADII = np.pad(covalent_radii, (0, 256 - len(covalent_radii)), mode="edge")
#: The last element whose covalent radius is known.
_LAST_RADIUS = 96
#: The element that an atom's name begins with, where the name may be read as another element; 0 where none is.
_MEANT = np.zeros(256, np.int64)
for _number, _symbol in enumerate(chemical_symbols):
    if len(_symbol) == 2 and _symbol[0] in "HCNOSP" and _symbol not in ("Cl", "Se", "Si"):
        _MEANT[_number] = chemical_symbols.index(_symbol[0])
