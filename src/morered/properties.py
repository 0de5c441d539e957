"""Tells which properties belong to one geometry, and would be wrong on a moved molecule.

>>> [is_of_geometry(name) for name in ("energy", "REF_forces", "dipole", "name", "formation_year")]
[True, True, True, False, False]
"""

from __future__ import annotations

import re

_LAST = (
    "energy",
    "energies",
    "force",
    "forces",
    "gradient",
    "gradients",
    "fmax",
    "dipole",
    "dipoles",
    "dipole_moment",
    "quadrupole",
    "polarizability",
    "polarisability",
    "stress",
    "stresses",
    "virial",
    "virials",
    "hessian",
    "frequencies",
    "charges",
    "magmom",
    "magmoms",
    "homo",
    "lumo",
    "gap",
    "enthalpy",
    "entropy",
    "auto_method",
    "expected_rmsd",
    "expected_energy",
    "seed_spread",
    "time_spread",
)
_PATTERN = re.compile(rf"(?:.*[^a-zA-Z0-9])?(?:{'|'.join(_LAST)})", re.IGNORECASE | re.DOTALL)
_INPUTS = ("initial_charges", "initial_magmoms", "formal_charges")


def is_of_geometry(name: str) -> bool:
    """Whether a property of this name (``energy``, ``REF_forces``, ``mulliken_charges``) depends on the coordinates.

    ASE's names of results, those of quantum chemistry and of training data, also behind a prefix (``dft_energy``). Charges and
    magnetic moments that are input (``initial_charges``), and formal charges, are none.
    """
    return _PATTERN.fullmatch(name) is not None and name.lower() not in _INPUTS
