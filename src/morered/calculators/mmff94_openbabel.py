"""MMFF94 through Open Babel (Halgren, J. Comput. Chem. 1996, 17, 490; O'Boyle et al., J. Cheminf. 2011, 3, 33).

A force field needs bonds, and structures have none: they are perceived from the coordinates by Open Babel, which goes wrong on
distorted molecules. Open Babel's set-up then often succeeds all the same, with the parameters of another molecule, so fragments,
valences and charge are checked here and a failure says where it happened: perception, set-up or calculation.

Open Babel's analytic forces are wrong in the out-of-plane bending term (up to 0.2 eV/Å at planar amides and rings, where its own
energy is stationary, so that no minimiser can converge in them). The forces given here take that term from differences of its
energy instead; they agree with differences of the whole energy to 1e-6 eV/Å.

Open Babel's force field is one object per process that holds one molecule: use processes, not threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from morered.calculators.base import CalculationError, Calculator, accepted
from morered.extras import needs
from morered.units import EV_PER_KCAL_MOL

with needs("mmff"):
    from openbabel import openbabel as ob

#: What MMFF94 has parameters for in neutral organic molecules.
ELEMENTS = frozenset({1, 6, 7, 8, 9, 14, 15, 16, 17, 35, 53})

# Sums of bond orders that an atom of an organic molecule can have, by element and formal charge.
_VALENCES: dict[tuple[int, int], frozenset[int]] = {
    (1, 0): frozenset({1}),
    (6, 0): frozenset({4}),
    (6, -1): frozenset({3}),  # isocyanides
    (7, 0): frozenset({3, 5}),  # 5: nitro, azide and N-oxide groups as Open Babel writes them
    (7, 1): frozenset({4}),
    (7, -1): frozenset({2}),
    (8, 0): frozenset({2}),
    (8, 1): frozenset({3}),
    (8, -1): frozenset({1}),
    (9, 0): frozenset({1}),
    (14, 0): frozenset({4}),
    (15, 0): frozenset({3, 5}),
    (15, 1): frozenset({4}),
    (16, 0): frozenset({2, 4, 6}),
    (16, 1): frozenset({3}),
    (16, -1): frozenset({1}),
    (17, 0): frozenset({1}),
    (35, 0): frozenset({1}),
    (53, 0): frozenset({1}),
}

_STEP = 1e-4  # Å, of the differences for the out-of-plane term: errors of second order stay below 1e-6 eV/Å


class Mmff94(Calculator):
    """MMFF94 with bonds perceived from the coordinates.

    Parameters
    ----------
    check_bonds
        Refuse a molecule whose perceived bonds leave fragments, odd valences or a charge; otherwise take what Open Babel takes.
    """

    name = "mmff94-openbabel"
    elements = ELEMENTS

    def __init__(self, *, check_bonds: bool = True) -> None:
        self.check_bonds = check_bonds
        self.description = "MMFF94 (Open Babel), bonds perceived from coordinates" + ("" if check_bonds else ", unchecked")

    def surface(self, numbers: ArrayLike, positions: ArrayLike, charge: int = 0, unpaired: int = 0) -> Mmff94Surface:
        """The surface of one molecule with the bonds that ``positions`` [N, 3] (Å) show; they stay as they are from then on."""
        molecule = accepted(self, numbers, positions, charge, unpaired)
        return Mmff94Surface(molecule.numbers, molecule.positions.astype(np.float64), self.check_bonds)


class Mmff94Surface:
    """The MMFF94 surface of one molecule; see `morered.calculators.base.Surface`.

    Attributes
    ----------
    bond_problem
        What is wrong with the perceived bonds, None if nothing is.
    """

    def __init__(self, numbers: NDArray[np.integer], positions: NDArray[np.float64], check_bonds: bool = True) -> None:
        if not np.all(np.isfinite(positions)):
            raise CalculationError("a coordinate is infinite or no number", "input")
        self.molecule = perceive(numbers, positions)
        self.bond_problem = bond_problem(self.molecule)
        if check_bonds and self.bond_problem is not None:
            raise CalculationError(f"bond perception failed: {self.bond_problem}", "perception")
        self._atoms = [self.molecule.GetAtom(i + 1) for i in range(len(numbers))]
        self._bent = _atoms_of_planes(self._atoms)
        self.claim()

    def claim(self) -> Any:
        """Open Babel's force field, set up for this molecule.

        Raises
        ------
        CalculationError
            If it has no parameters for the molecule.
        """
        force_field = _force_field()
        if _Holder.surface is not self:
            # Open Babel skips its set-up for a molecule that looks like the last one (same elements, degrees and bond orders,
            # though other neighbours), so an empty one goes in between.
            force_field.Setup(_EMPTY)
            _Holder.surface = None
            if not force_field.Setup(self.molecule):
                raise CalculationError(f"force field set-up failed: {self.bond_problem or 'parameters are missing'}", "setup")
            _Holder.surface = self
        return force_field

    def place(self, positions: NDArray[np.floating]) -> None:
        """Move the molecule to ``positions`` [N, 3] (Å), in the force field too."""
        for atom, (x, y, z) in zip(self._atoms, np.asarray(positions, dtype=np.float64).tolist(), strict=True):
            atom.SetVector(x, y, z)
        self.claim().SetCoordinates(self.molecule)

    def positions(self) -> NDArray[np.float64]:
        """Where the force field's molecule is, [N, 3] in Å (after Open Babel's own minimisers)."""
        self.claim().GetCoordinates(self.molecule)
        return np.array([[atom.GetX(), atom.GetY(), atom.GetZ()] for atom in self._atoms])

    def evaluate(self, positions: NDArray[np.floating]) -> tuple[float, NDArray[np.float64]]:
        """Energy (eV) and forces [N, 3] (eV/Å) at ``positions`` [N, 3] (Å).

        Raises
        ------
        CalculationError
            If they are not finite.
        """
        if not np.all(np.isfinite(positions)):
            raise CalculationError("a coordinate is infinite or no number", "input")
        self.place(positions)
        force_field = self.claim()
        energy = force_field.Energy(True)
        forces = self._gradients(force_field)
        if self._bent:
            force_field.E_OOP(True)  # adds the term to the gradients once more
            forces -= self._gradients(force_field) - forces
            forces += self._out_of_plane(force_field, positions)
            force_field.Energy(True)  # leaves Open Babel's gradients as its own minimisers expect them
        if not (np.isfinite(energy) and np.all(np.isfinite(forces))):
            raise CalculationError("MMFF94 gave an energy or forces that are not finite")
        return energy * EV_PER_KCAL_MOL, forces * EV_PER_KCAL_MOL

    def _gradients(self, force_field: Any) -> NDArray[np.float64]:
        """What Open Babel calls gradients, [N, 3] in kcal/mol/Å: the forces of the last energy asked for with gradients."""
        vectors = [force_field.GetGradient(atom) for atom in self._atoms]
        return np.array([[vector.GetX(), vector.GetY(), vector.GetZ()] for vector in vectors])

    def _out_of_plane(self, force_field: Any, positions: NDArray[np.floating]) -> NDArray[np.float64]:
        """Forces of the out-of-plane term, [N, 3] in kcal/mol/Å, from central differences."""
        forces = np.zeros((len(self._atoms), 3))
        for i in self._bent:
            atom, home = self._atoms[i], [float(x) for x in positions[i]]
            for axis in range(3):
                energies = []
                for sign in (1.0, -1.0):
                    moved = home.copy()
                    moved[axis] += sign * _STEP
                    atom.SetVector(*moved)
                    force_field.SetCoordinates(self.molecule)
                    energies.append(force_field.E_OOP(False))
                forces[i, axis] = (energies[1] - energies[0]) / (2 * _STEP)
            atom.SetVector(*home)
        force_field.SetCoordinates(self.molecule)
        return forces


def perceive(numbers: NDArray[np.integer], positions: NDArray[np.floating]) -> Any:
    """An Open Babel molecule of numbers [N] and positions [N, 3] (Å), with bonds and bond orders perceived from them."""
    molecule = ob.OBMol()
    molecule.BeginModify()
    for number, (x, y, z) in zip(numbers.tolist(), positions.tolist(), strict=True):
        atom = molecule.NewAtom()
        atom.SetAtomicNum(number)
        atom.SetVector(x, y, z)
    molecule.EndModify()
    with _quiet():
        molecule.ConnectTheDots()
        molecule.PerceiveBondOrders()
    return molecule


def bond_problem(molecule: Any) -> str | None:
    """What no neutral organic molecule has about the bonds of an Open Babel molecule, atoms numbered from 1; None if nothing."""
    fragments = len(molecule.Separate())
    if fragments > 1:
        return f"{fragments} fragments"
    odd = []
    for atom in ob.OBMolAtomIter(molecule):
        number, charge, valence = atom.GetAtomicNum(), atom.GetFormalCharge(), atom.GetExplicitValence()
        if valence not in _VALENCES.get((number, charge), frozenset()):
            sign = f" and charge {charge:+d}" if charge else ""
            odd.append(f"{ob.GetSymbol(number)}{atom.GetIdx()} with valence {valence}{sign}")
    if odd:
        return ", ".join(odd[:3]) + (f" and {len(odd) - 3} more" if len(odd) > 3 else "")
    if charge := molecule.GetTotalCharge():
        return f"total charge {charge:+d}"
    return None


def _atoms_of_planes(atoms: list[Any]) -> list[int]:
    """Atoms that may be in an out-of-plane term: those with three neighbours, and the neighbours."""
    involved = set()
    for atom in atoms:
        if atom.GetExplicitDegree() == 3:
            involved.add(atom.GetIdx() - 1)
            involved.update(neighbour.GetIdx() - 1 for neighbour in ob.OBAtomAtomIter(atom))
    return sorted(involved)


# --------------------------------------------------------------------- Open Babel's global state


class _Holder:
    """The molecule that the one force field of this process is set up for."""

    force_field: Any = None
    surface: Mmff94Surface | None = None


_EMPTY = ob.OBMol()


def _force_field() -> Any:
    if _Holder.force_field is None:
        with _quiet():
            _Holder.force_field = ob.OBForceField.FindForceField("MMFF94")
        if _Holder.force_field is None:
            raise RuntimeError("Open Babel finds no MMFF94: its data files are missing")
        _Holder.force_field.SetLogLevel(ob.OBFF_LOGLVL_NONE)
    return _Holder.force_field


class _quiet:
    """Keep Open Babel's messages (on standard error) back for the while; its own level is put back after."""

    def __enter__(self) -> None:
        self._level = ob.obErrorLog.GetOutputLevel()
        ob.obErrorLog.SetOutputLevel(-1)

    def __exit__(self, *_: object) -> None:
        ob.obErrorLog.SetOutputLevel(self._level)
