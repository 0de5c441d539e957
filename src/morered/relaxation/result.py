"""What became of molecules: one type from a method's last step to what the caller gets.

Shapes: M molecules, A atoms (flat).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from morered.relaxation.codes import RELAXED, VERDICTS, Code, Verdict
from morered.structures import Column, Structures, gathered
from morered.trajectories import Trajectories

#: What every method counts or predicts, with units; NaN or 0 where a method has none.
VALUES = {"first_time": "", "last_time": "", "first_fmax": "eV/Å", "last_fmax": "eV/Å"}

Progress = Callable[[int, int, int], None]
"""Told now and then: molecules done, of how many, and steps taken by all of them together."""


@dataclass
class Result:
    """What became of M molecules.

    A method gives their ends in any frame, with the columns ``steps``, ``seconds`` and those of `VALUES`, and with ``energy`` and
    ``forces`` where it has them. `morered.relaxation.verdicts.judge` lays them on the input and adds the other columns of
    `morered.relaxation.verdicts.columns`.

    Attributes
    ----------
    structures : Structures
        All molecules in the order of the input, positions in Å.
    code : NDArray
        [M] int8, `Code`: how each ended.
    reasons : list
        [M], a sentence where the code's own does not say enough, otherwise None.
    trajectories : Trajectories or None
        Steps of all molecules, where they were asked for; a molecule that was refused has none.
    interrupted : bool
        Whether Ctrl-C ended it early; what is done by then is kept.
    given : Structures or None
        The input.
    further : tuple of Trajectories
        Those of each further method that went on from here, without frames, of the molecules it was given.
    """

    structures: Structures
    code: NDArray[np.int8]
    reasons: list[str | None]
    trajectories: Trajectories | None = None
    interrupted: bool = False
    given: Structures | None = None
    further: tuple[Trajectories, ...] = ()

    @classmethod
    def begin(cls, structures: Structures, *, forces: bool = False) -> Result:
        """Nothing done yet: each molecule is where it was given and counts as interrupted; ``forces`` makes room for them."""
        n = len(structures)
        columns = {"steps": Column(np.zeros(n, np.int32)), "seconds": Column(np.zeros(n), "s")}
        columns |= {name: Column(np.full(n, np.nan), unit) for name, unit in VALUES.items()}
        if forces:
            columns["energy"] = Column(np.full(n, np.nan), "eV")
            columns["forces"] = Column(np.full((structures.n_atoms, 3), np.nan), "eV/Å", per_atom=True)
        ends = structures.without_columns().with_positions(np.array(structures.positions, dtype=np.float64))
        return cls(ends.with_columns(columns), np.full(n, int(Code.INTERRUPTED), np.int8), [None] * n)

    def __len__(self) -> int:
        return len(self.structures)

    # --------------------------------------------------------------------- what a method writes, in place

    @property
    def positions(self) -> NDArray[np.float64]:
        """[A, 3] in Å; of no account where a molecule was not relaxed."""
        return cast(NDArray[np.float64], self.structures.positions)

    @positions.setter
    def positions(self, positions: NDArray[np.float64]) -> None:
        self.structures = self.structures.with_positions(positions)

    @property
    def steps(self) -> NDArray[np.int32]:
        """Steps taken, [M]."""
        return self.structures.column("steps")

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Each molecule's share of the time, [M]."""
        return self.structures.column("seconds")

    @property
    def energies(self) -> NDArray[np.float64] | None:
        """[M] in eV, NaN for a molecule that was not relaxed; None where the method has none."""
        return self.structures.column("energy") if "energy" in self.structures.columns else None

    @property
    def forces(self) -> NDArray[np.float64] | None:
        """[A, 3] in eV/Å at ``positions`` and in their frame, NaN for a molecule that was not relaxed; None as energies."""
        return self.structures.column("forces") if "forces" in self.structures.columns else None

    def values(self, name: str) -> NDArray[np.float64]:
        """One of `VALUES`, [M]."""
        return self.structures.column(name)

    def put(self, molecules: NDArray[np.int64], part: Result) -> None:
        """Take over what became of some of the molecules, ``part`` in their order."""
        atoms, _ = gathered(self.structures.offsets, molecules)
        if part.forces is not None and self.forces is None:
            self.structures = self.structures.with_columns(
                {name: Result.begin(self.structures, forces=True).structures.columns[name] for name in ("energy", "forces")}
            )
        self.positions[atoms] = part.positions
        self.code[molecules] = part.code
        for name in ("steps", "seconds", *VALUES, "energy", "forces"):
            if name in part.structures.columns:
                self.structures.column(name)[atoms if name == "forces" else molecules] = part.structures.column(name)
        for m, reason in zip(molecules.tolist(), part.reasons, strict=True):
            self.reasons[m] = reason

    # --------------------------------------------------------------------- how molecules ended

    @property
    def relaxed(self) -> NDArray[np.bool_]:
        """Which molecules have new coordinates, [M]: they converged, became another molecule, or reached the step cap."""
        return np.isin(self.code, RELAXED)

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdict of each molecule, [M]."""
        return [VERDICTS[Code(code)] for code in self.code.tolist()]


Run = Callable[[Structures, Progress], Result]
"""Relaxes M molecules and tells the progress; every method is one, once its models are loaded."""


class RelaxationInterrupted(KeyboardInterrupt):
    """Ctrl-C during a relaxation; ``result`` holds what is done; the rest failed with the reason "interrupted"."""

    def __init__(self, result: Result) -> None:
        super().__init__("the relaxation was interrupted")
        self.result = result
