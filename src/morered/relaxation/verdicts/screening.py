"""Finds the molecules that a method cannot take, before it starts, with a sentence for each.

Shapes: M molecules, A atoms (flat).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from morered.checks.proper import improper, misread
from morered.checks.usable import unusable
from morered.frozen import frozen_atoms
from morered.structures import Structures

#: Å. Further from its molecule's centre than this an atom is not part of it, and single precision loses its position.
FAR = 1000.0

ALONE = "it has one atom: there is nothing to relax"
ALL_FROZEN = "all its atoms are frozen: there is nothing to relax"


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
    sizes = structures.sizes
    reasons: list[str | None] = [ALONE if n == 1 else None for n in sizes.tolist()]
    free = structures.per_molecule_sum((~frozen_atoms(structures)).astype(np.float64))
    for m in np.flatnonzero((sizes > 1) & (free == 0)).tolist():
        reasons[m] = ALL_FROZEN
    if proper and positions_matter:
        names = misread(structures)
        reasons = [names.get(m, reason) for m, reason in enumerate(reasons)]
    found = unusable(structures, elements, unknown=f"{who} has never seen", positions_matter=positions_matter, far=FAR)
    reasons = [reason or problem for reason, problem in zip(reasons, found, strict=True)]
    if proper and positions_matter:
        good = np.flatnonzero([reason is None for reason in reasons])
        for m, problem in zip(good.tolist(), improper(structures[good]), strict=True):
            reasons[m] = problem
    return reasons
