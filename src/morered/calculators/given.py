"""Potentials that a user brings: an ASE calculator, or a function of many molecules, as a `Calculator`.

Nothing is known of their elements, charges and spins, so every molecule is tried, and what they raise is the molecule's reason.

Shapes: M molecules, A atoms (flat), N atoms of one molecule. Units: Å, eV, eV/Å.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Protocol

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from morered.calculators.base import CalculationError, Calculator, StructuresCalculator, one_line
from morered.structures import Structures


class AseLike(Protocol):
    """An ASE calculator."""

    def get_potential_energy(self, atoms: Any = None) -> float:
        """Energy in eV."""
        ...

    def get_forces(self, atoms: Any = None) -> Any:
        """Forces [N, 3] in eV/Å."""
        ...


BatchFunction = Callable[[Structures], tuple[Any, Any]]
"""Energies [M] in eV and forces [A, 3] in eV/Å of M molecules with A atoms, molecule after molecule; NumPy arrays or tensors."""


def is_potential(given: object) -> bool:
    """Whether `as_calculator` takes it: a `Calculator`, an ASE calculator, or a function."""
    return isinstance(given, Calculator) or _is_ase(given) or (callable(given) and not isinstance(given, type))


def as_calculator(given: Any) -> Calculator:
    """A potential that a user brings as a `Calculator`.

    Parameters
    ----------
    given
        A `Calculator`; an ASE calculator, which is asked for one molecule after another; or a `BatchFunction`.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if isinstance(given, Calculator):
        return given
    if _is_ase(given):
        return AseCalculator(given)
    if is_potential(given):
        return FunctionCalculator(given)
    raise ValueError(f"{given!r} is no potential: give an ASE calculator, or a function of Structures")


class _Given(StructuresCalculator):
    """What is the same for all of them."""

    elements: frozenset[int] = frozenset(range(1, 119))
    description = "a potential that the user brings"
    charged: ClassVar[bool] = True
    open_shell: ClassVar[bool] = True


class AseCalculator(_Given):
    """An ASE calculator, one molecule after another.

    A total charge and unpaired electrons are given to it in the ways that ASE's calculators read: ``info["charge"]`` and
    ``info["spin"]`` (the multiplicity), and initial charges and magnetic moments that add up to them.
    """

    def __init__(self, calculator: Any) -> None:
        self.name = str(getattr(calculator, "name", "") or type(calculator).__name__)
        self._calculator = calculator

    def _evaluate(
        self, structures: Structures, accepted: NDArray[np.int64], forces: bool
    ) -> Iterator[tuple[int, float, NDArray[np.float64] | None, str | None]]:
        charges, unpaired = structures.charges.tolist(), structures.unpaired.tolist()
        for m in accepted.tolist():
            _, numbers, positions = structures.molecule(m)
            atoms = Atoms(numbers, np.array(positions, dtype=np.float64), calculator=self._calculator)
            if charges[m]:
                atoms.info["charge"] = charges[m]
                atoms.set_initial_charges(_spread(charges[m], len(atoms)))
            if unpaired[m]:
                atoms.info["spin"] = unpaired[m] + 1
                atoms.set_initial_magnetic_moments(_spread(unpaired[m], len(atoms)))
            try:
                energy = float(atoms.get_potential_energy())
                force = np.array(atoms.get_forces(), dtype=np.float64) if forces else None
            except Exception as error:  # whatever a calculator raises is why this molecule has no energy
                yield m, np.nan, None, f"{self.name}: {type(error).__name__}: {one_line(error)}"
            else:
                yield m, energy, force, None


class FunctionCalculator(_Given):
    """A function of many molecules at once.

    Where it raises for several molecules they are tried one by one, so that one that it cannot do stops no other.
    """

    batched: ClassVar[bool] = True

    def __init__(self, function: BatchFunction) -> None:
        self.name = str(getattr(function, "__name__", type(function).__name__))
        self._function = function

    def _evaluate(
        self, structures: Structures, accepted: NDArray[np.int64], forces: bool
    ) -> Iterator[tuple[int, float, NDArray[np.float64] | None, str | None]]:
        chosen = structures[accepted]
        try:
            energies, gradients = self._values(chosen)
        except Exception as error:  # as above
            if len(accepted) > 1:
                for m in accepted.tolist():
                    yield from self._evaluate(structures, np.array([m]), forces)
            elif len(accepted):
                yield int(accepted[0]), np.nan, None, f"{self.name}: {type(error).__name__}: {one_line(error)}"
            return
        for k, m in enumerate(accepted.tolist()):
            atoms = slice(int(chosen.offsets[k]), int(chosen.offsets[k + 1]))
            yield m, float(energies[k]), gradients[atoms] if forces else None, None

    def _values(self, structures: Structures) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        energies, forces = (_array(values) for values in self._function(structures))
        energies = energies.reshape(-1) if energies.size == len(structures) else energies
        for name, values, shape in (("energies", energies, (len(structures),)), ("forces", forces, (structures.n_atoms, 3))):
            if values.shape != shape:
                raise CalculationError(f"it gave {name} of shape {list(values.shape)}, not {list(shape)}")
        return energies, forces


def _is_ase(given: object) -> bool:
    return all(callable(getattr(given, name, None)) for name in ("get_potential_energy", "get_forces"))


def _array(values: Any) -> NDArray[np.float64]:
    detach = getattr(values, "detach", None)  # a tensor, maybe with a gradient, maybe on a GPU
    return np.asarray(values if detach is None else detach().cpu().numpy(), dtype=np.float64)


def _spread(total: int, n_atoms: int) -> NDArray[np.float64]:
    """A total as values of the atoms, [N]."""
    return np.full(n_atoms, total / n_atoms)
