"""Says which method takes a molecule with an element that a network has never seen."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from morered.structures import Structures

#: What the network for organic molecules has learned: H, B, C, N, O, F, Si, P, S, Cl, As, Se, Br, I.
ORGANIC = frozenset({1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 33, 34, 35, 53})
#: GFN2-xTB has parameters up to radon.
HEAVIEST = 86


def with_way_out(
    reasons: Sequence[str | None], structures: Structures, elements: Collection[int] | None, who: str
) -> list[str | None]:
    """Reasons of refusals, [M], with a method that takes the molecule added where its elements are the reason.

    Parameters
    ----------
    reasons, structures
        M molecules and why each is refused; None for one that is taken.
    elements
        Atomic numbers that the method knows; None where it does not say.
    who
        Whose they are, as in the reasons.
    """
    found = list(reasons)
    for m, reason in enumerate(reasons):
        if elements is None or reason is None or not reason.startswith(f"{who} has never seen"):
            continue
        there = {int(z) for z in np.unique(structures.molecule(m).numbers)}
        if there <= ORGANIC and not there <= set(elements):
            found[m] = f"{reason}; --method organic takes it, and so do gfn2 and aimnet2"
        elif max(there) <= HEAVIEST:
            found[m] = f"{reason}; --method gfn2 or --finish gfn2 takes it"
    return found
