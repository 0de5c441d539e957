"""Geometry optimisations with PBE0, GFN-xTB or AIMNet2. Their steps, cycles of the self-consistent field and seconds are counted.

What they start from decides what they cost. ASE's BFGS moves the atoms; each step is one evaluation of energy and forces.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ase import Atoms
from ase.optimize import BFGS
from numpy.typing import ArrayLike, NDArray

from morered.calculators import get
from morered.calculators.base import CalculationError, Calculator, accepted, largest_force
from morered.calculators.on_surface import OnSurface
from morered.calculators.pbe0 import Pbe0
from morered.settings.level import Level
from morered.settings.reading import read

#: Largest force at convergence in eV/Å: 4.5e-4 hartree/bohr, the threshold that quantum chemistry programs use.
FMAX = 0.023


@dataclass(frozen=True)
class Optimised:
    """A molecule after its optimisation.

    Attributes
    ----------
    positions
        [N, 3] in Å; those of the start where it failed.
    energy
        In eV at ``positions``; NaN where it failed.
    steps
        Steps taken; evaluations are one more.
    cycles
        Cycles of the self-consistent field in all evaluations; -1 where the calculator does not tell.
    seconds
        Wall time.
    fmax
        Largest force at the end in eV/Å; NaN where it failed.
    status
        "converged", "step-cap" or "failed".
    reason
        Why it did not converge.
    """

    positions: NDArray[np.float64]
    energy: float
    steps: int
    cycles: int
    seconds: float
    fmax: float
    status: Literal["converged", "step-cap", "failed"]
    reason: str = ""


def calculator(name: str, level: Mapping[str, Any] | None = None) -> Calculator:
    """The calculator of an optimisation: PBE0 at a level (see `morered.settings.level.Level`; no dispersion), or another's
    name.
    """
    if name == "pbe0":
        return Pbe0(**{**(level or {}), "dispersion": False})
    return get(name)


def titles(level: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Names of the calculators for people; PBE0's is its level of theory."""
    plain = read(Level, {**(level or {}), "dispersion": False})
    return {"pbe0": plain.name, "gfn2": "GFN2-xTB", "gfn1": "GFN1-xTB", "aimnet2": "AIMNet2"}


def optimise(
    numbers: ArrayLike,
    positions: ArrayLike,
    method: Calculator,
    charge: int = 0,
    unpaired: int = 0,
    *,
    fmax: float = FMAX,
    steps: int = 200,
) -> Optimised:
    """Optimise a molecule from a start; never raises for a molecule that cannot be computed.

    Parameters
    ----------
    numbers, positions
        [N], and [N, 3] in Å: the start.
    method
        Calculator of energies and forces.
    charge, unpaired
        Total charge in e and unpaired electrons.
    fmax
        Largest force in eV/Å at which it is converged.
    steps
        Cap.
    """
    start = np.array(positions, dtype=np.float64)
    begin = time.perf_counter()
    surface: Any = None
    taken = 0
    try:
        accepted(method, numbers, start, charge, unpaired)
        surface = method.surface(numbers, start, charge, unpaired)
        atoms = Atoms(np.asarray(numbers), start, calculator=OnSurface(surface))
        optimiser = BFGS(atoms, logfile=None)
        try:
            converged = bool(optimiser.run(fmax=fmax, steps=steps))
        finally:
            taken = optimiser.nsteps
        force, energy = largest_force(atoms.get_forces()), float(atoms.get_potential_energy())
    except (CalculationError, ArithmeticError, np.linalg.LinAlgError) as error:
        reason = " ".join(str(error).split())
        return Optimised(start, np.nan, taken, _cycles(surface), time.perf_counter() - begin, np.nan, "failed", reason)
    seconds = time.perf_counter() - begin
    reason = "" if converged else f"not converged in {taken} steps: largest force {force:.2g} eV/Å"
    status: Literal["converged", "step-cap"] = "converged" if converged else "step-cap"
    return Optimised(atoms.positions.copy(), energy, taken, _cycles(surface), seconds, force, status, reason)


def _cycles(surface: Any) -> int:
    return int(getattr(surface, "cycles", -1))
