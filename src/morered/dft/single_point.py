"""One molecule's PBE0 energy, its dispersion, and how they were reached: a number that converged, or a reason."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from morered.dft import hirshfeld, pbe0
from morered.dft.mbd import mbd_energy
from morered.dft.neighbour import Neighbour
from morered.settings.level import Level


@dataclass(frozen=True)
class SinglePoint:
    """Energies in eV; NaN, and a reason, where there is none.

    Attributes
    ----------
    energy, mbd
        Of the functional, and of dispersion (0 where the level has none).
    cycles
        Cycles of the self-consistent field, failed attempts and those for the forces included.
    seconds
        Wall time.
    status
        "converged", or "failed".
    reason
        How the field converged where plain DIIS did not do, or why there is no energy.
    forces
        [N, 3] in eV/Å, of the functional alone; None where not asked for.
    volume_ratios
        Hirshfeld volumes over those of free atoms, [N]; None where the level has no dispersion.
    """

    energy: float
    mbd: float
    cycles: int
    seconds: float
    status: str
    reason: str = ""
    forces: NDArray[np.floating] | None = None
    volume_ratios: NDArray[np.floating] | None = None

    @property
    def total(self) -> float:
        """Energy with dispersion."""
        return self.energy + self.mbd


def single_point(
    numbers: ArrayLike,
    positions: ArrayLike,
    level: Level | None = None,
    charge: int = 0,
    unpaired: int = 0,
    *,
    forces: bool = False,
    neighbour: Neighbour | None = None,
) -> SinglePoint:
    """The energy of numbers [N] at positions [N, 3] in Å with a total charge (e) and unpaired electrons.

    It never raises for a molecule that cannot be computed. ``neighbour`` keeps the density from one call to the next.
    """
    level = level or Level()
    numbers = np.asarray(numbers, dtype=int)
    positions = np.asarray(positions, dtype=float)
    start = time.perf_counter()
    cycles = 0
    try:
        if not np.all(np.isfinite(positions)):
            raise ValueError("coordinates that are not finite")
        guess = None if neighbour is None else neighbour.guess(numbers, positions, level, charge, unpaired)
        field = pbe0.converge(numbers, positions, level, guess, charge, unpaired)
        cycles = field.cycles
        if neighbour is not None:
            neighbour.keep(field.density_matrix, numbers, positions, level, charge, unpaired)
        dispersion, ratios = 0.0, None
        if level.dispersion:
            ratios = hirshfeld.partition(
                field.mean_field.mol, field.mean_field.grids, field.total_density_matrix, numbers, level.functional, level.basis
            ).volume_ratios
            dispersion = mbd_energy(numbers, positions, ratios, level.beta)
        gradient = pbe0.forces(field, level) if forces else None
        cycles += 0 if gradient is None else gradient.cycles
    except (pbe0.NotConverged, ValueError, ArithmeticError, np.linalg.LinAlgError, RuntimeError) as error:
        spent = getattr(error, "cycles", cycles)
        return SinglePoint(np.nan, np.nan, spent, time.perf_counter() - start, "failed", " ".join(str(error).split()))
    reason = "" if field.way == "DIIS" else f"converged by {field.way}"
    seconds = time.perf_counter() - start
    found = None if gradient is None else gradient.forces
    return SinglePoint(field.energy, dispersion, cycles, seconds, "converged", reason, found, ratios)
