"""Total charge and unpaired electrons of molecules: what is possible, and what a method takes.

Shapes: M molecules. `Structures.charges` [M] is the total charge in e, `Structures.unpaired` [M] the number of unpaired
electrons, the multiplicity less one; both are 0 where nothing is said. A molecule with an odd number of electrons has one
unpaired electron at least, so 0 there means "not stated", and the lowest multiplicity is meant (`unpaired_electrons`).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from morered.structures import Structures

# What relaxes ions with closed shells, and what relaxes radicals as well, for the sentences of the methods that do not.
_WAY_OUT_OF_IONS = "--method gfn2 or --finish gfn2 takes it, and so does aimnet2 (in Python method= or finish=)"
_WAY_OUT_OF_SMALL_IONS = "--method organic, gfn2 or aimnet2 takes it, and so does --finish gfn2 (in Python method= or finish=)"
#: The charges of ions that the network for organic molecules has seen.
ORGANIC_IONS = frozenset({-1, 1, 2})
_WAY_OUT = "--method gfn2 or --finish gfn2 takes it (in Python method= or finish=)"


def electron_counts(structures: Structures) -> NDArray[np.int64]:
    """Electrons of each molecule, [M]: the sum of its atomic numbers less its charge."""
    nuclear = structures.per_molecule_sum(structures.numbers.astype(np.float64))
    return nuclear.astype(np.int64) - structures.charges


def unpaired_electrons(structures: Structures) -> NDArray[np.int64]:
    """Unpaired electrons of each molecule, [M]: as stated, and one for an odd number of electrons of which nothing is stated."""
    stated = structures.unpaired
    return np.where(stated == 0, electron_counts(structures) % 2, stated)


def parity_problem(electrons: int, charge: int, unpaired: int) -> str | None:
    """Why a molecule cannot have this charge and these unpaired electrons; None if it can.

    ``electrons`` is their number with this charge. Here ``unpaired`` 0 means a closed shell.
    """
    if electrons < 0:
        return f"charge {charge:+d} is more than it has electrons ({electrons + charge})"
    if unpaired < 0:
        return f"a molecule cannot have {unpaired} unpaired electrons"
    if unpaired > electrons:
        return f"{unpaired} unpaired electrons are more than it has ({electrons} with charge {charge:+d})"
    if (electrons - unpaired) % 2:
        return (
            f"charge and multiplicity do not fit together: with charge {charge:+d} it has {electrons} electrons, "
            f"{'an odd' if electrons % 2 else 'an even'} number, and {unpaired} of them cannot be unpaired "
            f"(multiplicity {unpaired + 1})"
        )
    return None


def electron_refusals(
    structures: Structures,
    *,
    charges: Collection[int] | None = (0,),
    open_shell: bool = False,
    who: str = "the method",
    way_out: bool = False,
) -> list[str | None]:
    """Why each molecule cannot be taken for its electrons, [M]; None for those that can.

    Parameters
    ----------
    structures
        M molecules.
    charges
        Total charges that the method takes; None for any.
    open_shell
        Whether it takes unpaired electrons.
    who
        The method in the sentences.
    way_out
        Whether they say which method takes it.
    """
    total, stated = structures.charges, structures.unpaired
    electrons = electron_counts(structures)
    unpaired = np.where(stated == 0, electrons % 2, stated)
    suspect = (electrons < 0) | (stated < 0) | (unpaired > electrons) | ((electrons - unpaired) % 2 != 0)
    if charges is not None:
        suspect |= ~np.isin(total, list(charges))
    if not open_shell:
        suspect |= unpaired > 0
    reasons: list[str | None] = [None] * len(structures)
    for m in np.flatnonzero(suspect & (structures.sizes > 0)).tolist():
        charge, lone = int(total[m]), int(unpaired[m])
        reason = parity_problem(int(electrons[m]), charge, lone)
        if reason is None and charges is not None and charge not in charges:
            reason = f"it is an ion, charge {charge:+d}, and {who} knows {_known(charges)}"
        elif reason is None and stated[m] == 0:
            given = f"with charge {charge:+d}" if charge else "as a neutral molecule"
            what = "a radical" if charge else "a radical, or an ion whose charge is not given (--charge)"
            reason = f"{given} it has {electrons[m]} electrons, an odd number, and {who} knows closed shells only: {what}"
        elif reason is None:
            reason = f"it has {lone} unpaired electron{'s' if lone > 1 else ''}, and {who} knows closed shells only"
        else:
            reasons[m] = reason
            continue
        other = _way_out_of(charge, lone, charges)
        reasons[m] = f"{reason}; {other}" if way_out else reason
    return reasons


def radical_note(electrons: int, charge: int, unpaired: int) -> str | None:
    """What is doubtful about a molecule of which an odd number of electrons, and nothing else, says that it is a radical."""
    if unpaired or not electrons % 2:
        return None
    given = f"with charge {charge:+d}" if charge else "as a neutral molecule"
    doubt = "" if charge else "; if it is an ion, give its charge (--charge)"
    return f"{given} it has {electrons} electrons: computed as a radical{doubt}"


def _way_out_of(charge: int, lone: int, known: Collection[int] | None) -> str:
    """The method that takes what one that knows charges ``known`` does not."""
    if not charge or lone:
        return _WAY_OUT
    neutral_alone = known is not None and set(known) <= {0}
    return _WAY_OUT_OF_SMALL_IONS if neutral_alone and charge in ORGANIC_IONS else _WAY_OUT_OF_IONS


def _known(charges: Collection[int]) -> str:
    if set(charges) <= {0}:
        return "neutral molecules only"
    return f"molecules of charge {', '.join(f'{charge:+d}' if charge else '0' for charge in sorted(charges))} only"
