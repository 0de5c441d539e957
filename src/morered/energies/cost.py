"""What single points cost, roughly, so that a dry run can say so. Nothing is computed for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: CPU seconds per atom and basis function with density fitting, converged on grid 1 and evaluated on grid 3 (measured on one core
#: of a 2020s server: 0.004 to 0.006 for 7 to 22 atoms, def2-SVP and def2-TZVP).
SECONDS = 0.005
#: A molecule of QM7 as they mostly are: atomic numbers.
TYPICAL = (6, 6, 6, 6, 6, 7, 8, *[1] * 9)
#: Exact integrals instead of density fitting.
EXACT = 6.0


def seconds(basis: str, density_fitting: bool = True) -> float:
    """CPU seconds of one single point of a typical molecule of QM7; for other sizes they grow with the square of the atoms.

    Raises
    ------
    ValueError
        If the basis is unknown.
    """
    return SECONDS * len(TYPICAL) * _functions(basis) * (1.0 if density_fitting else EXACT)


def estimate(name: str, points: int, jobs: int, level: Mapping[str, Any], evaluations: int = 1) -> str:
    """A sentence about the cost of ``points`` single points, or of as many optimisations of so many ``evaluations`` each.

    Parameters
    ----------
    name
        What it is for.
    points
        How many at most: geometries that turn out to be identical are computed once.
    jobs
        That they are split into.
    level
        Settings of `morered.energies.level.Level`; the paper's where they are missing.
    evaluations
        Evaluations of energy and forces in an optimisation; forces double the cost.
    """
    basis = level.get("basis", "def2-tzvp")
    total = points * seconds(basis, level.get("density_fitting", True)) * (evaluations if evaluations == 1 else 2 * evaluations)
    what = "single points" if evaluations == 1 else f"optimisations of some {evaluations} evaluations"
    return (
        f"{name}: at most {points} {what} with {basis}, about {_text(total)} of one core for molecules of {len(TYPICAL)} atoms, "
        f"in {jobs} job{'s' if jobs != 1 else ''} of {_text(total / jobs)}"
    )


def _functions(basis: str) -> int:
    """Basis functions of the typical molecule."""
    from ase.data import chemical_symbols
    from pyscf import gto
    from pyscf.lib.exceptions import BasisNotFoundError

    atoms = [(chemical_symbols[z], (2.0 * k, 0.0, 0.0)) for k, z in enumerate(TYPICAL)]
    try:
        return int(gto.M(atom=atoms, basis=basis, spin=sum(TYPICAL) % 2, verbose=0).nao)
    except (BasisNotFoundError, KeyError) as error:
        raise ValueError(f"there is no basis {basis!r}: {error}") from None


def _text(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
