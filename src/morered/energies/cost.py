"""Estimates what single points cost, for a dry run. Nothing numerical is imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: CPU seconds per atom and basis function with density fitting: 0.004 to 0.006 for 7 to 22 atoms, def2-SVP and def2-TZVP.
SECONDS = 0.005
#: Exact integrals instead of density fitting, at def2-TZVP: 6.7 and 6.9 times in docs/benchmarks.md.
EXACT = 7.0
#: Heavy atoms and hydrogens of a molecule of QM7 as they mostly are.
TYPICAL = (7, 9)
#: Basis -> functions of a second-row atom and of hydrogen.
FUNCTIONS = {
    "sto-3g": (5, 1),
    "6-31g": (9, 2),
    "6-31g*": (14, 2),
    "def2-svp": (14, 5),
    "cc-pvdz": (14, 5),
    "def2-tzvp": (31, 6),
    "def2-tzvpp": (31, 14),
    "cc-pvtz": (30, 14),
    "def2-qzvp": (57, 30),
}


def seconds(level: Mapping[str, Any], atoms: int | None = None) -> float | None:
    """CPU seconds of one single point: they grow with the square of the atoms. None where the basis is none of `FUNCTIONS`.

    Parameters
    ----------
    level
        Settings of `morered.settings.level.Level`; the paper's where they are missing.
    atoms
        Of the molecule; None: as many as a molecule of QM7 mostly has.
    """
    functions = FUNCTIONS.get(level.get("basis", "def2-tzvp").lower())
    if functions is None:
        return None
    heavy, hydrogens = TYPICAL
    size: float = (heavy + hydrogens) * (heavy * functions[0] + hydrogens * functions[1])
    size *= (_atoms(atoms) / sum(TYPICAL)) ** 2
    return SECONDS * size * (1.0 if level.get("density_fitting", True) else EXACT)


def of_points(count: int | None, jobs: int, level: Mapping[str, Any], atoms: int | None = None) -> str:
    """A sentence about ``count`` single points (None: not known yet) in so many jobs."""
    return f"{_at_most(count)} single points with {_basis(level)}: {_cost(count, jobs, seconds(level, atoms), atoms)}"


def of_optimisations(
    count: int | None, jobs: int, level: Mapping[str, Any], evaluations: int = 20, atoms: int | None = None
) -> str:
    """A sentence about ``count`` optimisations of so many evaluations each, whose forces cost as much as their energies."""
    each = seconds(level, atoms)
    cost = _cost(count, jobs, None if each is None else 2 * evaluations * each, atoms)
    return f"{_at_most(count)} optimisations with {_basis(level)}: {cost}, if each takes {evaluations} evaluations"


def _at_most(count: int | None) -> str:
    return "many" if count is None else f"at most {count}"


def _basis(level: Mapping[str, Any]) -> str:
    return f"PBE0/{level.get('basis', 'def2-tzvp')}"


def _atoms(atoms: int | None) -> int:
    return sum(TYPICAL) if atoms is None else atoms


def _cost(count: int | None, jobs: int, each: float | None, atoms: int | None) -> str:
    in_jobs = f"in {jobs} job{'s' if jobs != 1 else ''}"
    if each is None:
        return f"{in_jobs}; what a point costs with this basis is not known"
    if count is None:
        return f"about {_text(each)} of one core each for molecules of {_atoms(atoms)} atoms, {in_jobs}"
    total = count * each
    return f"about {_text(total)} of one core for molecules of {_atoms(atoms)} atoms, {in_jobs} of {_text(total / jobs)}"


def _text(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
