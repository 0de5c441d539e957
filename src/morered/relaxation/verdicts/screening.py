"""Which molecules a method cannot take, found out before it starts, with a sentence for each.

Shapes: M molecules, A atoms (flat).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from morered.checks.proper import improper, misread
from morered.chemistry import COINCIDING, closest_contacts
from morered.frozen import frozen_atoms
from morered.structures import Structures

#: Å. Further from its molecule's centre than this an atom is not part of it, and single precision loses its position.
FAR = 1000.0


def refusals(
    structures: Structures,
    elements: Collection[int] | None = None,
    *,
    who: str = "the model",
    positions_matter: bool = True,
    proper: bool = True,
) -> list[str | None]:
    """Why each molecule is refused, [M]; None for one that is taken.

    Parameters
    ----------
    structures : Structures
        M molecules.
    elements : collection of int, optional
        Atomic numbers the method knows; None where it does not say.
    who : str
        Whose elements these are, for the sentence.
    positions_matter : bool
        False where the method replaces the positions.
    proper : bool
        False takes what is no molecule's geometry as well (see `morered.checks.proper`).
    """
    reasons: list[str | None] = [None] * len(structures)

    def refuse(which: NDArray[np.bool_], reason: str) -> None:
        for m in np.flatnonzero(which).tolist():
            reasons[m] = reasons[m] or reason

    sizes = structures.sizes
    refuse(sizes == 0, "it has no atoms")
    refuse(sizes == 1, "it has one atom: there is nothing to relax")
    free = structures.per_molecule_sum((~frozen_atoms(structures)).astype(np.float64))
    refuse((sizes > 1) & (free == 0), "all its atoms are frozen: there is nothing to relax")
    if proper and positions_matter:
        for m, sentence in misread(structures).items():
            reasons[m] = sentence
    _refuse_elements(structures, elements, who, reasons)
    if not positions_matter:
        return reasons
    broken = _any(structures, ~np.isfinite(structures.positions).all(axis=1))
    refuse(broken, "a coordinate is infinite or no number")
    with np.errstate(over="ignore", invalid="ignore"):
        distances = np.linalg.norm(structures.centred().positions, axis=1)
    far = _any(structures, ~(distances <= FAR)) & ~broken
    refuse(far, f"an atom lies more than {FAR:g} Å from the centre of its molecule")
    good = np.flatnonzero(~(broken | far))
    contacts = np.full(len(structures), np.nan)
    contacts[good] = closest_contacts(structures.without_columns()[good])
    refuse(contacts < COINCIDING, "two atoms lie on each other")
    if proper:
        nameless = _any(structures, (structures.numbers == 0) | (structures.numbers >= len(chemical_symbols)))
        good = np.flatnonzero(~(broken | far | nameless | (contacts < COINCIDING)) & (sizes > 1))
        for m, problem in zip(good.tolist(), improper(structures[good]), strict=True):
            reasons[m] = reasons[m] or problem
    return reasons


def _refuse_elements(structures: Structures, elements: Collection[int] | None, who: str, reasons: list[str | None]) -> None:
    known = np.zeros(256, dtype=bool)
    known[list(elements) if elements else range(1, 100)] = True
    known[0] = False
    strange = ~known[structures.numbers]
    for m in np.flatnonzero(_any(structures, strange)).tolist():
        atoms = slice(int(structures.offsets[m]), int(structures.offsets[m + 1]))
        numbers = sorted({int(z) for z in structures.numbers[atoms][strange[atoms]]})
        named = [chemical_symbols[z] for z in numbers if 0 < z < len(chemical_symbols)]
        unnamed = [z for z in numbers if not 0 < z < len(chemical_symbols)]
        if unnamed:
            reasons[m] = reasons[m] or f"{unnamed[0]} is not an atomic number"
        else:
            reasons[m] = reasons[m] or f"{who} has never seen {' or '.join(named)}"


def _any(structures: Structures, atoms: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether any atom of each molecule is marked, [A] -> [M]."""
    return structures.per_molecule_sum(atoms.astype(np.float64)) > 0
