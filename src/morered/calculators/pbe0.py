"""PBE0 and PBE0+MBD as calculators of the one registry."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from morered.calculators.base import CalculationError, Calculator, accepted, one_line
from morered.dft.pbe0 import NotConverged, converge, forces
from morered.dft.single_point import single_point
from morered.settings.level import Level
from morered.settings.reading import read
from morered.structures import Structures

#: def2 basis sets reach from hydrogen to radon.
ELEMENTS = frozenset(range(1, 87))


class Pbe0(Calculator):
    """PBE0 with PySCF; energies with MBD where asked for. Forces are those of the functional, so with MBD there are none.

    The options are those of `morered.settings.level.Level`.
    """

    name = "pbe0"
    elements = ELEMENTS
    charged: ClassVar[bool] = True
    open_shell: ClassVar[bool] = True

    def __init__(
        self,
        dispersion: bool,
        *,
        basis: str = "def2-tzvp",
        grid: int = 3,
        coarse_grid: int = 1,
        density_fitting: bool = True,
        max_memory: int | None = None,
        threads: int | None = None,
    ) -> None:
        stated = {"dispersion": dispersion, "basis": basis, "grid": grid, "coarse_grid": coarse_grid, "threads": threads}
        self.level = read(Level, {**stated, "density_fitting": density_fitting, "max_memory": max_memory})
        self.name = "pbe0+mbd" if dispersion else "pbe0"
        self.description = f"{self.level.name} with PySCF"

    def surface(self, numbers: ArrayLike, positions: ArrayLike, charge: int = 0, unpaired: int = 0) -> Pbe0Surface:
        """The surface of one molecule; each evaluation is a single point with forces."""
        molecule = accepted(self, numbers, positions, charge, unpaired)
        return Pbe0Surface(molecule.numbers, self.level, charge, unpaired)

    def _evaluate(self, structures: Structures, accepted: NDArray[np.int64], forces: bool) -> Any:
        if forces and self.level.dispersion:
            for m in accepted.tolist():
                yield m, np.nan, None, "forces of MBD are not computed: use pbe0, or ask for energies alone"
            return
        charges, unpaired = structures.charges.tolist(), structures.unpaired.tolist()
        for m in accepted.tolist():
            _, numbers, positions = structures.molecule(m)
            point = single_point(numbers, positions, self.level, charges[m], unpaired[m], forces=forces)
            yield m, point.total, point.forces, point.reason if point.status == "failed" else None


class Pbe0Surface:
    """The functional's surface of one molecule; each evaluation starts from the density of the one before.

    ``cycles`` counts those of the self-consistent field in all evaluations.
    """

    def __init__(self, numbers: NDArray, level: Level, charge: int, unpaired: int) -> None:
        self._numbers, self._level = numbers, level
        self._electrons = charge, unpaired
        self._density: NDArray[np.floating] | None = None
        self.cycles = 0

    def evaluate(self, positions: NDArray[np.floating]) -> tuple[float, NDArray[np.float64]]:
        """Energy (eV) and forces [N, 3] (eV/Å) of the functional at ``positions`` [N, 3] (Å)."""
        if self._level.dispersion:
            raise CalculationError("forces of MBD are not computed: use pbe0")
        if not np.all(np.isfinite(positions)):
            raise CalculationError("a coordinate is infinite or no number", "input")
        try:
            field = converge(self._numbers, positions, self._level, self._density, *self._electrons)
            self._density = field.density_matrix
            self.cycles += field.cycles
            gradient = forces(field, self._level)
        except (NotConverged, ValueError, ArithmeticError, np.linalg.LinAlgError, RuntimeError) as error:
            self._density = None
            raise CalculationError(one_line(error)) from None
        self.cycles += gradient.cycles
        return field.energy, np.asarray(gradient.forces, dtype=np.float64)
