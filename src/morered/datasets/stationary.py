"""Geometries of one molecule on a calculator's surface: many at a time, and the stationary point next to one of them.

Units: Å, eV, eV/Å. Shapes: N atoms, G geometries.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.optimize import BFGS
from numpy.typing import NDArray

from morered.calculators import CalculationError, Calculator, Surface
from morered.calculators.on_surface import OnSurface
from morered.chemistry import bonds
from morered.metrics.rmsd import superpose
from morered.structures import Structures, as_names, offsets_of

Floats = NDArray[np.float64]

#: Springs of the model that starts the quasi-Newton relaxation, in eV/Å²: bonds, 1-3, 1-4 and all other pairs.
_SPRINGS = (30.0, 6.0, 0.5, 0.05)
#: The model's softest direction in eV/Å²; where it is softer than the molecule, the first steps are too long.
_SOFTEST = 1.0
#: Longest step of an atom in Å.
_LONGEST_STEP = 0.1


class Geometries:
    """Energies and forces of many geometries of one molecule.

    A batched calculator gets them all at once; any other goes through them one by one on one surface, which starts each from the
    one before.

    Parameters
    ----------
    calculator
        A calculator.
    numbers, positions
        The molecule, [N] and [N, 3]: where a method perceives bonds, it does so here.
    charge, unpaired
        Its total charge in e and unpaired electrons.
    """

    def __init__(
        self, calculator: Calculator, numbers: NDArray[np.uint8], positions: Floats, charge: int = 0, unpaired: int = 0
    ) -> None:
        self._calculator = calculator
        self._numbers = numbers
        self._electrons = charge, unpaired
        self.surface: Surface = calculator.surface(numbers, positions, charge, unpaired)

    def evaluate(self, geometries: Floats, forces: bool = True) -> tuple[Floats, Floats | None]:
        """Energies [G], NaN where there is none, and forces [G, N, 3] (None if not asked for) at ``geometries`` [G, N, 3]."""
        count, n = geometries.shape[:2]
        if self._calculator.batched:
            names = as_names([str(k) for k in range(count)])
            batch = Structures(
                np.tile(self._numbers, count), geometries.reshape(-1, 3), offsets_of(np.full(count, n)), names, names.copy()
            )
            labels = self._calculator.compute(batch.with_electrons(*self._electrons), forces=forces)
            return labels.energies, None if labels.forces is None else labels.forces.reshape(count, n, 3)
        energies, gradients = np.full(count, np.nan), np.full((count, n, 3), np.nan)
        for k, geometry in enumerate(geometries):
            try:
                energies[k], gradients[k] = self.surface.evaluate(geometry)
            except CalculationError:
                continue
        return energies, gradients if forces else None


def stationary_point(geometries: Geometries, numbers: NDArray[np.uint8], positions: Floats, fmax: float, steps: int) -> Floats:
    """The stationary point next to ``positions`` [N, 3], superposed on them, [N, 3].

    ASE's BFGS, which needs forces alone (energies in single precision are too coarse for a line search this near), started from
    springs between the atoms: a third of the evaluations that it needs from a unit matrix.

    Raises
    ------
    CalculationError
        If there are no forces on the way, or ``fmax`` (eV/Å, largest force on an atom) is not reached in ``steps``.
    """
    atoms = Atoms(numbers, positions, calculator=OnSurface(geometries.surface))
    relaxation = BFGS(atoms, logfile=None, maxstep=_LONGEST_STEP)
    relaxation.H0 = _spring_hessian(numbers, positions)
    if not relaxation.run(fmax=fmax, steps=steps):
        largest = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
        raise CalculationError(f"no stationary point within {steps} steps: the largest force is {largest:.3f} eV/Å", "optimiser")
    return superpose(atoms.positions, positions)


def _spring_hessian(numbers: NDArray[np.uint8], positions: Floats) -> Floats:
    """Second derivatives [3N, 3N] in eV/Å² of springs between all pairs of atoms, stiffer the fewer bonds lie between them."""
    n = len(numbers)
    bonded = np.zeros((n, n), dtype=np.int64)
    pairs = bonds(numbers, positions)
    bonded[pairs[:, 0], pairs[:, 1]] = bonded[pairs[:, 1], pairs[:, 0]] = 1
    springs = np.full((n, n), _SPRINGS[3])
    for power, spring in ((3, _SPRINGS[2]), (2, _SPRINGS[1]), (1, _SPRINGS[0])):  # the shortest path last, so that it counts
        springs[np.linalg.matrix_power(bonded, power) > 0] = spring
    np.fill_diagonal(springs, 0.0)
    difference = positions[:, None] - positions[None, :]
    distance = np.linalg.norm(difference, axis=2)
    np.fill_diagonal(distance, 1.0)
    unit = difference / distance[..., None]
    blocks = springs[..., None, None] * unit[..., :, None] * unit[..., None, :]
    matrix = -blocks.transpose(0, 2, 1, 3).reshape(n, 3, n, 3)
    matrix[np.arange(n), :, np.arange(n), :] += blocks.sum(axis=1)
    values, vectors = np.linalg.eigh(matrix.reshape(3 * n, 3 * n))
    return (vectors * np.maximum(values, _SOFTEST)) @ vectors.T
