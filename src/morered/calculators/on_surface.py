"""A surface as ASE's optimisers want it. Units: Å, eV, eV/Å."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from morered.calculators.base import Surface


class OnSurface:
    """The calculator of an `ase.Atoms` object whose energy and forces a `Surface` gives.

    It has the two methods that ASE's optimisers call. ASE's base class for calculators compares and copies all atoms at each
    call: 0.6 ms a step, as long as a GFN2-xTB calculation of a small molecule takes.
    """

    def __init__(self, surface: Surface) -> None:
        self._surface = surface
        self._positions: NDArray[np.float64] | None = None
        self._energy = np.nan
        self._forces = np.empty((0, 3))

    def get_forces(self, atoms: Atoms) -> NDArray[np.float64]:
        """Forces [N, 3] in eV/Å where the atoms are; raises `morered.calculators.CalculationError`."""
        self._update(atoms)
        return self._forces.copy()

    def get_potential_energy(self, atoms: Atoms, force_consistent: bool = False) -> float:
        """Energy in eV where the atoms are; raises `morered.calculators.CalculationError`."""
        self._update(atoms)
        return self._energy

    def _update(self, atoms: Atoms) -> None:
        if self._positions is None or not np.array_equal(atoms.positions, self._positions):
            self._positions = None  # nothing is known if the evaluation fails
            self._energy, self._forces = self._surface.evaluate(atoms.positions)
            self._positions = atoms.positions.copy()
