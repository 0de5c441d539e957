"""GFN1-xTB and GFN2-xTB through tblite's own interface (Grimme et al., JCTC 2017, 13, 1989; Bannwarth et al., JCTC 2019, 15,
1652).

The raw interface starts each geometry of a molecule from the density of the last one, which saves cycles, and has no ASE
calculator's overhead. `accuracy` scales the self-consistency thresholds: at 1.0 (tblite's default) the forces of small molecules
carry noise up to 3e-4 eV/Å, at 0.1 up to 3e-5 eV/Å, at 0.01 3e-6 eV/Å, for 10 % more time each. A relaxation to 5e-5 eV/Å needs
0.1.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from morered.calculators.base import CalculationError, Calculator, accepted, one_line
from morered.electrons import unpaired_electrons
from morered.extras import needs
from morered.structures import Structures
from morered.units import ANGSTROM_PER_BOHR, EV_PER_HARTREE

with needs("xtb"):
    from tblite.exceptions import TBLiteRuntimeError, TBLiteValueError
    from tblite.interface import Calculator as TbliteCalculator
    from tblite.interface import Result

#: Both methods are parametrised up to radon.
ELEMENTS = frozenset(range(1, 87))

_METHODS = {"gfn1": "GFN1-xTB", "gfn2": "GFN2-xTB"}


def gfn1(*, accuracy: float = 0.1, max_iterations: int = 250) -> Xtb:
    """GFN1-xTB; see `Xtb` for the options."""
    return Xtb("gfn1", accuracy=accuracy, max_iterations=max_iterations)


def gfn2(*, accuracy: float = 0.1, max_iterations: int = 250) -> Xtb:
    """GFN2-xTB; see `Xtb` for the options."""
    return Xtb("gfn2", accuracy=accuracy, max_iterations=max_iterations)


class Xtb(Calculator):
    """A semi-empirical tight-binding method.

    Parameters
    ----------
    name
        ``"gfn1"`` or ``"gfn2"``.
    accuracy
        Factor on tblite's thresholds; smaller is tighter.
    max_iterations
        Cycles after which a geometry counts as not converged.
    """

    elements = ELEMENTS
    charged: ClassVar[bool] = True
    open_shell: ClassVar[bool] = True

    def __init__(self, name: str, *, accuracy: float, max_iterations: int) -> None:
        self.name = name
        self.description = f"{_METHODS[name]} (tblite), accuracy {accuracy:g}"
        self.accuracy = accuracy
        self.max_iterations = max_iterations

    def surface(self, numbers: ArrayLike, positions: ArrayLike, charge: int = 0, unpaired: int = 0) -> XtbSurface:
        """The surface of one molecule; each evaluation starts from the density of the one before."""
        molecule = accepted(self, numbers, positions, charge, unpaired)
        return XtbSurface(self, molecule, int(unpaired_electrons(molecule)[0]))


class XtbSurface:
    """The GFN surface of one molecule; see `morered.calculators.base.Surface`."""

    def __init__(self, method: Xtb, molecule: Structures, unpaired: int) -> None:
        try:
            self._calculator = TbliteCalculator(
                _METHODS[method.name],
                molecule.numbers,
                molecule.positions / ANGSTROM_PER_BOHR,
                charge=int(molecule.charges[0]),
                uhf=unpaired,
                color=False,
                logger=_ignore,
            )
            self._calculator.set("verbosity", 0)
            self._calculator.set("accuracy", method.accuracy)
            self._calculator.set("max-iter", method.max_iterations)
        except (TBLiteRuntimeError, TBLiteValueError) as error:
            raise CalculationError(one_line(error), "setup") from None
        self._last: Result | None = None

    def evaluate(self, positions: NDArray[np.floating]) -> tuple[float, NDArray[np.float64]]:
        """Energy (eV) and forces [N, 3] (eV/Å) at ``positions`` [N, 3] (Å).

        Raises
        ------
        CalculationError
            If self-consistency is not reached, also not from scratch, or the geometry is refused.
        """
        if not np.all(np.isfinite(positions)):  # LAPACK may loop or crash on NaN
            raise CalculationError("a coordinate is infinite or no number", "input")
        try:
            self._calculator.update(positions=np.asarray(positions, dtype=np.float64) / ANGSTROM_PER_BOHR)
            result = self._singlepoint()
            energy = float(result.get("energy")) * EV_PER_HARTREE
            forces = -np.asarray(result.get("gradient")) * (EV_PER_HARTREE / ANGSTROM_PER_BOHR)
        except (TBLiteRuntimeError, TBLiteValueError) as error:
            self._last = None
            raise CalculationError(one_line(error)) from None
        return energy, forces

    def _singlepoint(self) -> Result:
        if self._last is not None:
            try:
                self._last = self._calculator.singlepoint(self._last)
                return self._last
            except TBLiteRuntimeError:  # the old density may be a bad start after a large step
                self._last = None
        self._last = self._calculator.singlepoint()
        return self._last


def _ignore(message: str) -> None:
    """Take tblite's log, which otherwise goes to standard output."""
