"""Finds molecules that no method can compute: unknown elements, coordinates that are no numbers, coinciding atoms.

Shapes: M molecules, A atoms (flat).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from morered.chemistry import COINCIDING, closest_contacts
from morered.structures import Structures


def unusable(
    structures: Structures,
    elements: Collection[int] | None = None,
    *,
    unknown: str = "the method has no parameters for",
    positions_matter: bool = True,
    far: float | None = None,
) -> list[str | None]:
    """Why nothing can be computed of each molecule, [M]; None for one that is sound.

    Parameters
    ----------
    structures : Structures
        M molecules.
    elements : collection of int, optional
        Atomic numbers that are known; None for all to fermium.
    unknown : str
        What is said before the symbols of others.
    positions_matter : bool
        False where the positions will be replaced: they are not looked at.
    far : float, optional
        Å: an atom further from the centre than this is no part of its molecule.
    """
    reasons: list[str | None] = [None] * len(structures)

    def refuse(which: NDArray[np.bool_], reason: str) -> None:
        for m in np.flatnonzero(which).tolist():
            reasons[m] = reasons[m] or reason

    refuse(structures.sizes == 0, "it has no atoms")
    known = np.zeros(256, dtype=bool)
    known[list(elements) if elements else range(1, 100)] = True
    known[0] = False
    strange = ~known[structures.numbers]
    for m in np.flatnonzero(any_atom(structures, strange)).tolist():
        atoms = slice(int(structures.offsets[m]), int(structures.offsets[m + 1]))
        reasons[m] = _unknown(sorted({int(z) for z in structures.numbers[atoms][strange[atoms]]}), unknown)
    if not positions_matter:
        return reasons
    broken = any_atom(structures, ~np.isfinite(structures.positions).all(axis=1))
    refuse(broken, "a coordinate is infinite or no number")
    sound = ~broken
    if far is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            distances = np.linalg.norm(structures.centred().positions, axis=1)
        apart = any_atom(structures, ~(distances <= far)) & ~broken
        refuse(apart, f"an atom lies more than {far:g} Å from the centre of its molecule")
        sound &= ~apart
    good, contacts = np.flatnonzero(sound), np.full(len(structures), np.nan)
    contacts[good] = closest_contacts(structures.without_columns()[good])
    refuse(contacts < COINCIDING, "two atoms lie on each other")
    return reasons


def any_atom(structures: Structures, atoms: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether any atom of each molecule is marked, [A] -> [M]."""
    return structures.per_molecule_sum(atoms.astype(np.float64)) > 0


def _unknown(numbers: list[int], sentence: str) -> str:
    """What is wrong with atomic numbers that are not known."""
    named = [chemical_symbols[z] for z in numbers if 0 < z < len(chemical_symbols)]
    unnamed = [z for z in numbers if not 0 < z < len(chemical_symbols)]
    return f"{unnamed[0]} is not an atomic number" if unnamed else f"{sentence} {' or '.join(named)}"
