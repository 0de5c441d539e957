"""The table of checks: the name of each, what it asks, and the verdict of a result that does not pass it.

The values are 1 (passed), 0 (not passed) and -1 (cannot be told: there is nothing to compare with, or the method has no such
quantity). The idea of one such table is PoseBusters' (Buttenschoen et al., Chem. Sci. 2024, 15, 3130).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple


class Check(NamedTuple):
    """What a check asks of a result, and the verdict where it does not pass."""

    meaning: str
    otherwise: Literal["step-cap", "failed", "changed"]


#: Name -> check. Each name is a column of every relaxed structure.
CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "at_rest": Check("the method's own stop rule was met within its cap on the steps", "step-cap"),
        "clean": Check("the network sees no noise in the result: its last predicted time is below the method's limit", "failed"),
        "contacts": Check(
            "no two atoms three bonds apart or more are nearer than 0.55 times their van der Waals radii; hydrogen and N, O or F "
            "0.42 times, for hydrogen bonds",
            "failed",
        ),
        "lengths": Check("each bond length lies in the range of its kind: elements and coordination of both atoms", "failed"),
        "angles": Check("each bond angle lies in the range of its kind: elements, coordination and ring", "failed"),
        "bonds_kept": Check("the bonds are the input's: those its file or SMILES states, else those of its distances", "changed"),
        "stereo_kept": Check("R/S and E/Z are as in the input", "changed"),
        "fragments_kept": Check("there are as many fragments as in the input", "changed"),
        "hydrogens_kept": Check("each atom has as many hydrogens as in the input", "changed"),
    }
)

#: Checks of the geometry alone, which need no input to compare with.
GEOMETRY = ("contacts", "lengths", "angles")
#: Checks of whether it is still the same molecule.
IDENTITY = ("bonds_kept", "stereo_kept", "fragments_kept", "hydrogens_kept")
