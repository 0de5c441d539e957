"""What every calculator is: energies and forces of molecules, with a reason for each one that has none.

Shapes: M molecules, A atoms (flat), N atoms of one molecule. Units: Å, eV, eV/Å; forces are minus the gradient of the energy.

A `Calculator` labels `Structures`, many molecules at a time. A `Surface` is the potential energy surface of one molecule. It is
evaluated at one geometry after another (relaxations, finite differences) and may keep what saves time from one to the next.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from morered.checks.usable import unusable
from morered.electrons import electron_refusals
from morered.structures import Structures

Stage = Literal["input", "perception", "setup", "calculation", "optimiser"]


class CalculationError(Exception):
    """A molecule that cannot be calculated.

    Attributes
    ----------
    stage
        Where it went wrong: ``"input"`` (element, coordinates), ``"perception"`` (no sensible bonds in the coordinates),
        ``"setup"`` (the method has no parameters for the molecule), ``"calculation"`` (no energy at this geometry) or
        ``"optimiser"``.
    """

    def __init__(self, reason: str, stage: Stage = "calculation") -> None:
        super().__init__(reason)
        self.stage: Stage = stage


@dataclass(frozen=True)
class Labels:
    """Energies and forces of M molecules with A atoms.

    Attributes
    ----------
    energies
        [M] float64, eV; NaN for a molecule that failed.
    forces
        [A, 3] float64, eV/Å; NaN for a molecule that failed; None if they were not asked for.
    reasons
        [M], why a molecule failed; None for the others.
    """

    energies: NDArray[np.float64]
    forces: NDArray[np.float64] | None
    reasons: list[str | None]

    @property
    def succeeded(self) -> NDArray[np.bool_]:
        """Which molecules have labels, [M]."""
        return np.array([reason is None for reason in self.reasons], dtype=bool)


class Surface(Protocol):
    """The potential energy surface of one molecule with N atoms."""

    def evaluate(self, positions: NDArray[np.floating]) -> tuple[float, NDArray[np.float64]]:
        """Energy (eV) and forces [N, 3] (eV/Å) at ``positions`` [N, 3] (Å); raises `CalculationError`."""
        ...


class Calculator(ABC):
    """A level of theory that labels molecules.

    Attributes
    ----------
    name
        As `morered.calculators.get` knows it.
    elements
        Atomic numbers it can handle.
    batched
        Whether many molecules at a time cost less than one at a time.
    charged
        Whether it takes molecules with a total charge.
    open_shell
        Whether it takes molecules with unpaired electrons.
    takes_bonds
        Whether `surface` takes the bonds that a molecule's source states, as ``bonds`` [E, 2].
    description
        One line for people.
    """

    name: str
    elements: frozenset[int]
    description: str
    batched: ClassVar[bool] = False
    charged: ClassVar[bool] = False
    open_shell: ClassVar[bool] = False
    takes_bonds: ClassVar[bool] = False

    def refusals(self, structures: Structures) -> list[str | None]:
        """Why each molecule cannot be calculated with this method, [M]; None for those that can.

        What `morered.checks.usable.unusable` says of atoms and coordinates, and `morered.electrons.electron_refusals` of charges
        and radicals.
        """
        reasons = unusable(structures, self.elements, unknown=f"{self.name} has no parameters for")
        electrons = electron_refusals(
            structures,
            charges=None if self.charged else (0,),
            open_shell=self.open_shell,
            who=self.name,
            way_out=not (self.charged and self.open_shell),
        )
        return [reason or electronic for reason, electronic in zip(reasons, electrons, strict=True)]

    def compute(self, structures: Structures, forces: bool = True) -> Labels:
        """Energies, and forces if asked for, of all molecules, each with its own charge and unpaired electrons.

        A molecule that cannot be calculated gets NaN and a reason, and the others what they would get without it.
        """
        reasons = self.refusals(structures)
        energies = np.full(len(structures), np.nan)
        gradients = np.full((structures.n_atoms, 3), np.nan) if forces else None
        accepted = np.flatnonzero([reason is None for reason in reasons])
        for m, energy, force, reason in self._evaluate(structures, accepted, forces):
            atoms = slice(int(structures.offsets[m]), int(structures.offsets[m + 1]))
            if reason is None and not (np.isfinite(energy) and (force is None or np.all(np.isfinite(force)))):
                reason = f"{self.name} gave an energy or forces that are not finite"
            reasons[m] = reason
            if reason is None:
                energies[m] = energy
                if gradients is not None:
                    gradients[atoms] = force
        return Labels(energies, gradients, reasons)

    @abstractmethod
    def surface(self, numbers: ArrayLike, positions: ArrayLike, charge: int = 0, unpaired: int = 0) -> Surface:
        """The surface of one molecule.

        Parameters
        ----------
        numbers, positions
            [N] and [N, 3] in Å; bonds are perceived from them where they matter.
        charge, unpaired
            Total charge in e, and unpaired electrons (0 for an odd number of electrons: one).

        Raises
        ------
        CalculationError
            If the method cannot handle the molecule.
        """

    def _evaluate(
        self, structures: Structures, accepted: NDArray[np.int64], forces: bool
    ) -> Iterator[tuple[int, float, NDArray[np.float64] | None, str | None]]:
        """(molecule, energy, forces [N, 3], reason) for each of ``accepted``; one at a time unless a calculator does better."""
        charges, unpaired = structures.charges.tolist(), structures.unpaired.tolist()
        for m in accepted.tolist():
            _, numbers, positions = structures.molecule(m)
            try:
                energy, force = self.surface(numbers, positions, charges[m], unpaired[m]).evaluate(positions)
            except CalculationError as error:
                yield m, np.nan, None, str(error)
            else:
                yield m, energy, force if forces else None, None


class SingleSurface:
    """The surface of one molecule through a calculator of whole `Structures`."""

    def __init__(
        self, calculator: Calculator, numbers: ArrayLike, positions: ArrayLike, charge: int = 0, unpaired: int = 0
    ) -> None:
        self._calculator = calculator
        self._molecule = accepted(calculator, numbers, positions, charge, unpaired)

    def evaluate(self, positions: NDArray[np.floating]) -> tuple[float, NDArray[np.float64]]:
        """Energy (eV) and forces [N, 3] (eV/Å) at ``positions`` [N, 3] (Å)."""
        labels = self._calculator.compute(self._molecule.with_positions(np.asarray(positions, dtype=np.float64)))
        (reason,) = labels.reasons
        if reason is not None:
            raise CalculationError(reason)
        assert labels.forces is not None
        return float(labels.energies[0]), labels.forces


class StructuresCalculator(Calculator):
    """A calculator that computes whole `Structures`, by `_evaluate`; the surface of one molecule asks it for that one."""

    def surface(self, numbers: ArrayLike, positions: ArrayLike, charge: int = 0, unpaired: int = 0) -> SingleSurface:
        """The surface of one molecule: numbers [N], positions [N, 3] in Å."""
        return SingleSurface(self, numbers, positions, charge, unpaired)

    @abstractmethod
    def _evaluate(
        self, structures: Structures, accepted: NDArray[np.int64], forces: bool
    ) -> Iterator[tuple[int, float, NDArray[np.float64] | None, str | None]]: ...


def accepted(calculator: Calculator, numbers: ArrayLike, positions: ArrayLike, charge: int = 0, unpaired: int = 0) -> Structures:
    """One molecule as the calculator takes it: numbers [N], positions [N, 3] in Å.

    Raises
    ------
    CalculationError
        If it cannot take the molecule.
    """
    molecule = Structures.build([numbers], [positions], ["molecule"]).with_electrons(charge, unpaired)
    (reason,) = calculator.refusals(molecule)
    if reason is not None:
        raise CalculationError(reason, "input")
    return molecule


def chunks(costs: NDArray[np.integer], budget: int) -> Iterator[slice]:
    """Consecutive molecules whose costs [M] add up to at most ``budget``; one alone where it costs more."""
    start, total = 0, 0
    for m, cost in enumerate(costs.tolist()):
        if m > start and total + cost > budget:
            yield slice(start, m)
            start, total = m, 0
        total += cost
    if start < len(costs):
        yield slice(start, len(costs))


def one_line(error: BaseException) -> str:
    """The message of an error in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def largest_force(forces: NDArray[np.floating]) -> float:
    """Norm of the largest of the atoms' forces [N, 3]."""
    return float(np.sqrt((np.asarray(forces) ** 2).sum(axis=1).max(initial=0.0)))
