"""Geometry optimisations with PBE0, GFN-xTB or AIMNet2: gradients, cycles of the self-consistent field and seconds are counted.

What they start from decides what they cost. geomeTRIC moves the atoms, as it does for many quantum chemistry programs:
translation-rotation internal coordinates (TRIC; Wang and Song 2016) and its default criteria, which are those of Gaussian.
Energy 1e-6 hartree, gradient 3.0e-4 (rms) and 4.5e-4 (largest) hartree/bohr, step 1.2e-3 (rms) and 1.8e-3 (largest) Å.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ase.data import chemical_symbols
from ase.units import Bohr, Hartree
from numpy.typing import ArrayLike, NDArray

from morered.calculators import get
from morered.calculators.base import CalculationError, Calculator, Surface, accepted, largest_force
from morered.calculators.pbe0 import Pbe0
from morered.extras import needs
from morered.settings.level import Level
from morered.settings.reading import read

with needs("workflow"):
    from geometric.engine import Engine
    from geometric.errors import Error, GeomOptNotConvergedError
    from geometric.internal import DelocalizedInternalCoordinates
    from geometric.molecule import Molecule
    from geometric.optimize import OPT_STATE, Optimizer, OptParams


@dataclass(frozen=True)
class Optimised:
    """A molecule after its optimisation.

    Attributes
    ----------
    positions
        [N, 3] in Å; those of the start where it failed.
    energy
        In eV at ``positions``; NaN where it failed.
    gradients
        Evaluations of energy and gradient. A start at a minimum takes two, as some criteria are of the last step.
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
    gradients: int
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
    return get(name, **({"dtype": "float64"} if name == "aimnet2" else {}))  # single precision is coarser than the criterion


def titles(level: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Names of the calculators for people; PBE0's is its level of theory."""
    plain = read(Level, {**(level or {}), "dispersion": False})
    return {"pbe0": plain.name, "gfn2": "GFN2-xTB", "gfn1": "GFN1-xTB", "aimnet2": "AIMNet2"}


def optimise(
    numbers: ArrayLike, positions: ArrayLike, method: Calculator, charge: int = 0, unpaired: int = 0, *, steps: int = 200
) -> Optimised:
    """Optimise a molecule from a start; never raises for a molecule that cannot be computed.

    Parameters
    ----------
    numbers, positions
        [N], and [N, 3] in Å: the start, two atoms or more.
    method
        Calculator of energies and forces.
    charge, unpaired
        Total charge in e and unpaired electrons.
    steps
        Cap.
    """
    start = np.array(positions, dtype=np.float64)
    begin = time.perf_counter()
    engine: _OnSurface | None = None
    try:
        accepted(method, numbers, start, charge, unpaired)
        engine = _OnSurface(np.asarray(numbers), start, method.surface(numbers, start, charge, unpaired))
        converged, end = _run(engine, steps)
        energy, forces = engine.at(end)
    except (CalculationError, ArithmeticError, np.linalg.LinAlgError, Error) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        taken, cycles = (engine.gradients, _cycles(engine.surface)) if engine else (0, -1)
        return Optimised(start, np.nan, taken, cycles, time.perf_counter() - begin, np.nan, "failed", reason)
    seconds, force = time.perf_counter() - begin, largest_force(forces)
    reason = "" if converged else f"not converged in {steps} steps: largest force {force:.2g} eV/Å"
    status: Literal["converged", "step-cap"] = "converged" if converged else "step-cap"
    return Optimised(end, energy, engine.gradients, _cycles(engine.surface), seconds, force, status, reason)


class _OnSurface(Engine):
    """A surface as geomeTRIC wants it, with a count of its gradients. geomeTRIC's units: bohr, hartree, hartree/bohr."""

    def __init__(self, numbers: NDArray[np.integer], positions: NDArray[np.float64], surface: Surface) -> None:
        molecule = Molecule()
        molecule.elem = [chemical_symbols[z] for z in numbers]
        molecule.xyzs = [positions]
        molecule.build_topology()
        super().__init__(molecule)
        self.surface, self.gradients = surface, 0
        self._last: tuple[NDArray[np.float64], float, NDArray[np.float64]] | None = None

    def calc_new(self, coords: NDArray[np.float64], dirname: str) -> dict[str, object]:
        """Energy and gradient, flat; geomeTRIC asks once for each geometry."""
        energy, forces = self.at(coords.reshape(-1, 3) * Bohr)
        return {"energy": energy / Hartree, "gradient": -forces.ravel() * Bohr / Hartree}

    def at(self, positions: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Energy in eV and forces in eV/Å; those of the last geometry are not computed again."""
        if self._last is None or not np.array_equal(self._last[0], positions):
            self._last = (positions, *self.surface.evaluate(positions))
            self.gradients += 1
        return self._last[1], self._last[2]


def _run(engine: _OnSurface, steps: int) -> tuple[bool, NDArray[np.float64]]:
    """Whether it converged, and positions [N, 3] in Å where it ended."""
    logging.getLogger("geometric.nifty").setLevel(logging.ERROR)  # it tells of every step
    molecule = engine.M
    coordinates = DelocalizedInternalCoordinates(molecule, build=True, connect=False, addcart=False)
    with tempfile.TemporaryDirectory() as folder:
        optimizer = Optimizer(molecule.xyzs[0].ravel() / Bohr, molecule, coordinates, engine, folder, OptParams(maxiter=steps))
        with contextlib.suppress(GeomOptNotConvergedError):
            optimizer.optimizeGeometry()
    return optimizer.state == OPT_STATE.CONVERGED, optimizer.X.reshape(-1, 3) * Bohr


def _cycles(surface: Any) -> int:
    return int(getattr(surface, "cycles", -1))
