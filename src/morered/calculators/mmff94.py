"""MMFF94 through RDKit (Halgren, J. Comput. Chem. 1996, 17, 490; Tosco, Stiefl and Landrum, J. Cheminf. 2014, 6, 37).

A force field needs bonds. They are those that the source of a molecule states or, without them, those that its distances show;
their orders and the formal charges are perceived with the molecule's total charge (`morered.perception`). The surface keeps them
from then on, wherever the atoms go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rdkit import rdBase
from rdkit.Chem import rdForceFieldHelpers, rdtrajectory

from morered.calculators.base import CalculationError, Calculator, accepted
from morered.checks.known import stated_bonds
from morered.perception import ion_or_molecule
from morered.structures import Structures
from morered.units import EV_PER_KCAL_MOL

#: What MMFF94 has parameters for in organic molecules, and the ions of metals and halogens that it knows beside them.
ELEMENTS = frozenset({1, 3, 6, 7, 8, 9, 11, 12, 14, 15, 16, 17, 19, 20, 26, 29, 30, 35, 53})

_EVERY_PAIR = 1e4  # Å: the distance below which RDKit takes a pair of atoms into account
_ENERGY_CHANGE = 1e-12  # relative; the forces decide, not the energy


class Mmff94(Calculator):
    """MMFF94 with RDKit's parameters, for molecules and ions with closed shells."""

    name = "mmff94"
    elements = ELEMENTS
    description = "MMFF94 (RDKit), bonds as stated or perceived from coordinates"
    charged: ClassVar[bool] = True
    takes_bonds: ClassVar[bool] = True

    def surface(
        self,
        numbers: ArrayLike,
        positions: ArrayLike,
        charge: int = 0,
        unpaired: int = 0,
        bonds: NDArray[np.integer] | None = None,
    ) -> Mmff94Surface:
        """The surface of one molecule.

        Parameters
        ----------
        numbers, positions
            [N] and [N, 3] in Å.
        charge, unpaired
            Total charge in e, and unpaired electrons, of which there must be none.
        bonds
            [E, 2], who is bonded to whom where that is known; otherwise ``positions`` tell.

        Raises
        ------
        CalculationError
            If no proper molecule is perceived, or MMFF94 has no parameters for it.
        """
        molecule = accepted(self, numbers, positions, charge, unpaired)
        return Mmff94Surface(molecule.numbers, molecule.positions.astype(np.float64), charge, bonds)

    def _evaluate(
        self, structures: Structures, accepted: NDArray[np.int64], forces: bool
    ) -> Iterator[tuple[int, float, NDArray[np.float64] | None, str | None]]:
        pairs, stated = stated_bonds(structures)
        owner = structures.molecule_index[pairs[:, 0]]
        charges = structures.charges.tolist()
        for m in accepted.tolist():
            _, numbers, positions = structures.molecule(m)
            bonds = pairs[owner == m] - int(structures.offsets[m]) if stated[m] else None
            try:
                surface = Mmff94Surface(numbers, np.asarray(positions, np.float64), charges[m], bonds)
                energy, force = surface.evaluate(positions)
            except CalculationError as error:
                yield m, np.nan, None, str(error)
            else:
                yield m, energy, force if forces else None, None


class Mmff94Surface:
    """The MMFF94 surface of one molecule; see `morered.calculators.base.Surface`."""

    def __init__(
        self, numbers: NDArray[np.integer], positions: NDArray[np.float64], charge: int, bonds: NDArray[np.integer] | None
    ) -> None:
        if not np.all(np.isfinite(positions)):
            raise CalculationError("a coordinate is infinite or no number", "input")
        molecule = ion_or_molecule(numbers, positions, charge, bonds)
        if molecule is None:
            raise CalculationError(
                f"bond perception failed: no bond orders give every atom a proper valence with total charge {charge:+d}; "
                "an SDF states the bonds",
                "perception",
            )
        with rdBase.BlockLogs():
            parameters = rdForceFieldHelpers.MMFFGetMoleculeProperties(molecule)
            if parameters is None:
                raise CalculationError("force field set-up failed: parameters are missing; --method gfn2 needs none", "setup")
            self._force_field = rdForceFieldHelpers.MMFFGetMoleculeForceField(molecule, parameters, nonBondedThresh=_EVERY_PAIR)
        self._force_field.Initialize()
        self.molecule = molecule

    def evaluate(self, positions: NDArray[np.floating]) -> tuple[float, NDArray[np.float64]]:
        """Energy (eV) and forces [N, 3] (eV/Å) at ``positions`` [N, 3] (Å).

        Raises
        ------
        CalculationError
            If they are not finite.
        """
        flat = np.asarray(positions, dtype=np.float64).ravel().tolist()
        if not np.all(np.isfinite(flat)):
            raise CalculationError("a coordinate is infinite or no number", "input")
        energy = self._force_field.CalcEnergy(flat)
        forces = -np.array(self._force_field.CalcGrad(flat)).reshape(-1, 3)
        if not (np.isfinite(energy) and np.all(np.isfinite(forces))):
            raise CalculationError("MMFF94 gave an energy or forces that are not finite")
        return energy * EV_PER_KCAL_MOL, forces * EV_PER_KCAL_MOL

    def freeze(self, frozen: NDArray[np.bool_]) -> None:
        """Keep atoms, [N], in their places in `descend`."""
        for atom in np.flatnonzero(frozen).tolist():
            self._force_field.AddFixedPoint(atom)

    def descend(self, steps: int, tolerance: float, record: bool = False) -> tuple[int, NDArray[np.float64]]:
        """Go downhill by RDKit's minimiser (BFGS) from where it ended last, at first from where the molecule was set up.

        Parameters
        ----------
        steps
            Cap.
        tolerance
            RDKit's own, on scaled forces in kcal/mol/Å.
        record
            Whether all geometries are wanted.

        Returns
        -------
        (int, NDArray)
            The number S of steps, and the geometries after them in Å: [S, N, 3] with ``record``, else the last one, [1, N, 3].
        """
        _, snapshots = self._force_field.MinimizeTrajectory(1, steps, tolerance, _ENERGY_CHANGE)
        if not record or not snapshots:
            return len(snapshots), np.array(self._force_field.Positions(), dtype=np.float64).reshape(1, -1, 3)
        n = self.molecule.GetNumAtoms()
        path = rdtrajectory.Trajectory(3, n, snapshots)
        frames = [[tuple(path.GetSnapshot(k).GetPoint3D(i)) for i in range(n)] for k in range(len(path))]
        return len(frames), np.array(frames)
