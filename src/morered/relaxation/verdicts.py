"""What became of each molecule: the columns that every relaxed structure carries.

Shapes: M molecules, A atoms (flat).

    verdict          bytes    converged, step-cap, refused or failed; the last two keep their input coordinates
    steps            int32    steps taken
    first_time       float64  predicted time of the input in [0, 1] (diffusion), NaN otherwise
    last_time        float64  time of the last step, NaN otherwise
    first_fmax       float64  eV/Å, largest force on an atom of the input (force fields), NaN otherwise
    last_fmax        float64  eV/Å, that of the result
    moved            float64  Å, RMSD between input and result, superposed; NaN where there is no result to compare
    bonds_kept       int8     1: input and result have the same bonds, 0: not, -1: unknown
    stereo_kept      int8     1: all stereocentres and double bonds as in the input, 0: not, -1: unknown
    closest_contact  float64  Å, shortest distance between two atoms of the result
    seconds          float64  s, its share of the time
    reason           bytes    a plain sentence

where the method has them, of relaxed molecules (NaN otherwise):

    energy           float64  eV
    forces           float64  eV/Å, [A, 3]

and where a molecule was relaxed several times (`morered.relaxation.uncertainty`):

    seed_spread      float64  Å, mean RMSD between the results
    time_spread      float64  standard deviation over the atoms of the times predicted for the result (diffusion)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morered.chemistry import closest_contacts, same_bonds
from morered.metrics.rmsd import align, rmsd
from morered.metrics.stereo import stereo_kept
from morered.relaxation.codes import REASONS, VERDICTS, Code, is_relaxed
from morered.relaxation.results import turned, with_results, without_stale
from morered.structures import Column, Structures

#: Å. Nearer than this no two atoms of a molecule can be (H2: 0.74): a result that claims to have converged has collapsed.
COLLAPSED = 0.3

#: The columns, in order.
COLUMNS = (
    "verdict",
    "steps",
    "first_time",
    "last_time",
    "first_fmax",
    "last_fmax",
    "moved",
    "bonds_kept",
    "stereo_kept",
    "closest_contact",
    "seconds",
    "reason",
)
#: Further columns, which are there only where they were asked for.
SPREADS = ("seed_spread", "time_spread")
_RESULTS = {"first_time": "", "last_time": "", "first_fmax": "eV/Å", "last_fmax": "eV/Å"}


@dataclass
class Outcome:
    """What a method made of M molecules.

    Attributes
    ----------
    positions : NDArray
        [A, 3] float64, Å, in any frame; of no account where a molecule was not relaxed.
    code : NDArray
        [M] int8, `Code`.
    steps, seconds : NDArray
        [M].
    results : dict
        first_time, last_time, first_fmax, last_fmax, [M] float64 each, where the method has them.
    reasons : list
        [M], a sentence where the code's own does not say enough, otherwise None.
    energies, forces : NDArray or None
        [M] in eV and [A, 3] in eV/Å at ``positions``, in their frame; NaN for a molecule that was not relaxed. None where the
        method has none.
    """

    positions: NDArray[np.float64]
    code: NDArray[np.int8]
    steps: NDArray[np.int32]
    seconds: NDArray[np.float64]
    results: dict[str, NDArray] = field(default_factory=dict)
    reasons: list[str | None] = field(default_factory=list)
    energies: NDArray[np.float64] | None = None
    forces: NDArray[np.float64] | None = None

    @classmethod
    def empty(cls, structures: Structures) -> Outcome:
        """Nothing done yet: each molecule counts as interrupted."""
        n = len(structures)
        return cls(
            positions=np.array(structures.positions, dtype=np.float64),
            code=np.full(n, int(Code.INTERRUPTED), np.int8),
            steps=np.zeros(n, np.int32),
            seconds=np.zeros(n),
            results={name: np.full(n, np.nan) for name in _RESULTS},
            reasons=[None] * n,
        )

    def put(self, structures: Structures, molecules: NDArray[np.int64], part: Outcome) -> None:
        """Take over what became of some of the molecules, ``part`` in their order."""
        sizes = structures.sizes[molecules]
        ends = np.cumsum(sizes)
        atoms = np.repeat(structures.offsets[molecules] - (ends - sizes), sizes) + np.arange(sizes.sum())
        self.positions[atoms] = part.positions
        self.code[molecules], self.steps[molecules], self.seconds[molecules] = part.code, part.steps, part.seconds
        for name, values in part.results.items():
            self.results[name][molecules] = values
        for m, reason in zip(molecules.tolist(), part.reasons, strict=True):
            self.reasons[m] = reason
        if part.energies is not None and part.forces is not None:
            self.energies, self.forces = np.full(len(structures), np.nan), np.full((structures.n_atoms, 3), np.nan)
            self.energies[molecules], self.forces[atoms] = part.energies, part.forces


def judge(inputs: Structures, outcome: Outcome, *, positions_matter: bool = True) -> Structures:
    """The relaxed structures in the frame of the input, with the columns above added to the input's own.

    What belongs to the input's geometry (its energy, forces, ...) is taken from the molecules that were relaxed, and the
    method's ``energy`` and ``forces`` stand in its place.

    Parameters
    ----------
    inputs : Structures
        M molecules as they were given.
    outcome : Outcome
        What became of them.
    positions_matter : bool
        False where the input's positions were replaced: nothing is compared with them.
    """
    code = outcome.code.copy()
    relaxed = np.array([is_relaxed(Code(c)) for c in code.tolist()], dtype=bool)
    contacts = _contacts(inputs.with_positions(outcome.positions))
    converged = np.array([VERDICTS[Code(c)] == "converged" for c in code.tolist()], dtype=bool)
    collapsed = converged & (contacts < COLLAPSED)
    code[collapsed] = int(Code.COLLAPSED)
    relaxed &= ~collapsed
    positions = np.array(inputs.positions, dtype=np.float64)
    atoms = relaxed[inputs.molecule_index]
    positions[atoms] = outcome.positions[atoms]
    inputs = without_stale(inputs, relaxed)
    result = inputs.with_positions(positions)
    chosen = np.flatnonzero(relaxed)
    forces = outcome.forces
    bonds_kept = np.full(len(inputs), -1, np.int8)
    kept = bonds_kept.copy()
    moved = np.full(len(inputs), np.nan)
    if positions_matter and len(chosen):
        before = inputs.without_columns()[chosen]
        after = align(result.without_columns()[chosen], before)
        if forces is not None:
            forces[atoms] = turned(forces[atoms], result.without_columns()[chosen], after)
        positions[atoms] = after.positions
        result = inputs.with_positions(positions)
        moved[chosen] = rmsd(after, before)
        bonds_kept[chosen] = same_bonds(before, after)
        kept[chosen] = stereo_kept(before, after)
    reasons = [
        REASONS[Code.COLLAPSED] if collapsed[m] else outcome.reasons[m] or REASONS[Code(c)] for m, c in enumerate(code.tolist())
    ]
    columns = {
        "verdict": Column(np.array([VERDICTS[Code(c)].encode() for c in code.tolist()], dtype="S9")),
        "steps": Column(outcome.steps.astype(np.int32)),
        **{name: Column(np.asarray(outcome.results[name], np.float64), unit) for name, unit in _RESULTS.items()},
        "moved": Column(moved, "Å"),
        "bonds_kept": Column(bonds_kept),
        "stereo_kept": Column(kept),
        "closest_contact": Column(_contacts(result), "Å"),
        "seconds": Column(outcome.seconds, "s"),
        "reason": Column(np.array([reason.encode() for reason in reasons], dtype=np.bytes_).reshape(len(reasons))),
    }
    if outcome.energies is not None and forces is not None:
        result = with_results(result, chosen, outcome.energies, forces)
    return result.with_columns(columns)


def _contacts(structures: Structures) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):  # refused molecules may hold any number
        return closest_contacts(structures.without_columns())


def table_of(relaxed: Structures) -> pd.DataFrame:
    """One row for each molecule with its name, its number of atoms and the columns above that it has, bytes as text."""
    values: dict[str, Any] = {"name": relaxed.names, "n_atoms": relaxed.sizes}
    for name in (*COLUMNS[:-1], *(name for name in SPREADS if name in relaxed.columns), "reason"):
        column = relaxed.column(name)
        values[name] = [text.decode() for text in column.tolist()] if column.dtype.kind == "S" else column
    return pd.DataFrame(values)
