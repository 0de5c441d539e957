"""What became of each molecule: the columns that every relaxed structure carries.

Shapes: M molecules, A atoms (flat).

    verdict          bytes    converged, changed, step-cap, refused or failed; the last two keep their input coordinates
    steps            int32    steps taken
    first_time       float64  predicted time of the input in [0, 1] (diffusion), NaN otherwise
    last_time        float64  time of the last step, NaN otherwise
    first_fmax       float64  eV/Å, largest force on an atom of the input (force fields), NaN otherwise
    last_fmax        float64  eV/Å, that of the result
    moved            float64  Å, RMSD between input and result, superposed; NaN where there is no result to compare
    closest_contact  float64  Å, shortest distance between two atoms of the result
    seconds          float64  s, its share of the time
    reason           bytes    a plain sentence

and one int8 for each check of `morered.checks.table.CHECKS`: 1 passed, 0 not, -1 unknown or not asked. A result is ``converged``
where none is 0. One that is another molecule is ``changed``, and one whose geometry is impossible has ``failed``; so has one that
reached the cap at a structure that the checks find worse than the input. The checks of a result that is not kept stay.

where the method has them, of relaxed molecules (NaN otherwise):

    energy           float64  eV
    forces           float64  eV/Å, [A, 3]

where the network's weights say what a predicted time means (`morered.metrics.calibration`), of relaxed molecules (NaN otherwise):

    expected_rmsd    float64  Å, heavy atoms, mean distance of such results to the minimum that they fall into
    expected_energy  float64  kcal/mol, their mean energy above that minimum

and where a molecule was relaxed several times (`morered.relaxation.uncertainty`):

    seed_spread      float64  Å, mean RMSD between the results
    time_spread      float64  standard deviation over the atoms of the times predicted for the result (diffusion)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from morered.checks.geometry import strain
from morered.checks.judged import Checks, check
from morered.checks.known import stated_alone, without_stated
from morered.checks.table import CHECKS
from morered.chemistry import closest_contacts
from morered.metrics.calibration import Calibration
from morered.metrics.rmsd import rmsd
from morered.relaxation.codes import REASONS, VERDICTS, Code, is_relaxed
from morered.relaxation.results import laid_on, turned, with_results, without_stale
from morered.structures import Column, Structures, gathered

if TYPE_CHECKING:
    import pandas as pd

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
    *CHECKS,
    "closest_contact",
    "seconds",
    "reason",
)
#: Further columns, which are there only where they were asked for.
SPREADS = ("expected_rmsd", "expected_energy", "seed_spread", "time_spread")
_RESULTS = {"first_time": "", "last_time": "", "first_fmax": "eV/Å", "last_fmax": "eV/Å"}


@dataclass
class Outcome:
    """What a method made of M molecules.

    Attributes
    ----------
    positions : NDArray
        [A, 3] float64, Å, in any frame, that of the input for a molecule with frozen atoms; of no account where a molecule was
        not relaxed.
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
        atoms, _ = gathered(structures.offsets, molecules)
        self.positions[atoms] = part.positions
        self.code[molecules], self.steps[molecules], self.seconds[molecules] = part.code, part.steps, part.seconds
        for name, values in part.results.items():
            self.results[name][molecules] = values
        for m, reason in zip(molecules.tolist(), part.reasons, strict=True):
            self.reasons[m] = reason
        if part.energies is not None and part.forces is not None:
            self.energies, self.forces = np.full(len(structures), np.nan), np.full((structures.n_atoms, 3), np.nan)
            self.energies[molecules], self.forces[atoms] = part.energies, part.forces


def judge(
    inputs: Structures,
    outcome: Outcome,
    *,
    positions_matter: bool = True,
    clean_below: float | None = None,
    checked: bool = True,
) -> Structures:
    """The relaxed structures on their inputs (those with frozen atoms where they are), with the columns above added.

    What belongs to the input's geometry (its energy, forces, ...) is taken from the molecules that were relaxed, and the
    method's ``energy`` and ``forces`` stand in its place.

    Parameters
    ----------
    inputs : Structures
        M molecules as they were given, with the bonds that their source states (`morered.checks.known`), if any.
    outcome : Outcome
        What became of them.
    positions_matter : bool
        False where the input's positions were replaced: nothing is compared with them.
    clean_below : float, optional
        What the last predicted time must be below; None where the method sets no limit.
    checked : bool
        False where the verdict is the method's own, whatever the checks say.
    """
    code = outcome.code.copy()
    relaxed = np.array([is_relaxed(Code(c)) for c in code.tolist()], dtype=bool)
    at_rest = np.array([VERDICTS[Code(c)] == "converged" for c in code.tolist()], dtype=bool)
    results = inputs.with_positions(outcome.positions)
    collapsed = at_rest & (_contacts(results) < COLLAPSED)
    code[collapsed] = int(Code.COLLAPSED)
    relaxed &= ~collapsed
    reasons = [REASONS[Code.COLLAPSED] if collapsed[m] else reason for m, reason in enumerate(outcome.reasons)]

    chosen = np.flatnonzero(relaxed)
    passed = {name: np.full(len(inputs), -1, np.int8) for name in CHECKS}
    if len(chosen):
        found = check(results[chosen], inputs[chosen] if positions_matter else None)
        for name, values in found.passed.items():
            passed[name][chosen] = values
        if checked:
            _hold_to(found, chosen, inputs if positions_matter else None, code, reasons)
            relaxed = np.array([is_relaxed(Code(c)) for c in code.tolist()], dtype=bool)
    passed["at_rest"][chosen] = at_rest[chosen]
    passed["clean"] = _clean(outcome, clean_below)

    positions = np.array(inputs.positions, dtype=np.float64)
    atoms = relaxed[inputs.molecule_index]
    positions[atoms] = outcome.positions[atoms]
    inputs = without_stale(inputs, relaxed)
    result = inputs.with_positions(positions)
    forces = outcome.forces
    moved = np.full(len(inputs), np.nan)
    kept = np.flatnonzero(relaxed)
    if positions_matter and len(kept):
        before = stated_alone(inputs)[kept]
        unturned = result.without_columns()[kept]
        after = laid_on(unturned, before)
        if forces is not None:
            forces[atoms] = turned(forces[atoms], unturned, after)
        positions[atoms] = after.positions
        result = inputs.with_positions(positions)
        moved[kept] = rmsd(after, before.without_columns())
    sentences = [reasons[m] or REASONS[Code(c)] for m, c in enumerate(code.tolist())]
    columns = {
        "verdict": Column(np.array([VERDICTS[Code(c)].encode() for c in code.tolist()], dtype="S9")),
        "steps": Column(outcome.steps.astype(np.int32)),
        **{name: Column(np.asarray(outcome.results[name], np.float64), unit) for name, unit in _RESULTS.items()},
        "moved": Column(moved, "Å"),
        **{name: Column(values) for name, values in passed.items()},
        "closest_contact": Column(_contacts(result), "Å"),
        "seconds": Column(outcome.seconds, "s"),
        "reason": Column(np.array([sentence.encode() for sentence in sentences], dtype=np.bytes_).reshape(len(sentences))),
    }
    result = without_stated(result)
    if outcome.energies is not None and forces is not None:
        result = with_results(result, kept, outcome.energies, forces)
    return result.with_columns(columns)


def with_expected(judged: Structures, calibration: Calibration) -> Structures:
    """Results with the columns expected_rmsd and expected_energy, NaN for refused and failed ones."""
    rmsd_left, energy_left = calibration.expected(judged.column("last_time"), judged.sizes)
    gone = np.isin(judged.column("verdict"), (b"refused", b"failed"))
    values = {"expected_rmsd": (rmsd_left, "Å"), "expected_energy": (energy_left, "kcal/mol")}
    columns = {name: Column(np.where(gone, np.nan, found), unit) for name, (found, unit) in values.items()}
    return judged.with_columns({**judged.columns, **columns})


def _hold_to(
    found: Checks,
    chosen: NDArray[np.int64],
    inputs: Structures | None,
    code: NDArray[np.int8],
    reasons: list[str | None],
) -> None:
    """Change codes and reasons, [M] both, of the ``chosen`` results that do not pass their checks, in place.

    Without inputs the geometry alone counts: there is nothing that a result could have changed from.
    """
    before = np.full(len(chosen), np.inf)
    comparable = found.passed["bonds_kept"] >= 0  # a heap of atoms has no bonds that could be strained: anything is better
    suspects = [k for k, sentence in enumerate(found.impossible) if sentence is not None and comparable[k]]
    if inputs is not None and suspects:
        before[suspects] = strain(inputs[chosen[suspects]])
    for k, m in enumerate(chosen.tolist()):
        impossible, changed = found.impossible[k], None if inputs is None else found.changed[k]
        if VERDICTS[Code(int(code[m]))] == "converged":
            if impossible:
                code[m], reasons[m] = int(Code.IMPOSSIBLE), f"{REASONS[Code.IMPOSSIBLE]}: {impossible}"
            elif changed:
                code[m], reasons[m] = int(Code.CHANGED), f"{REASONS[Code.CHANGED]}: {changed}"
        elif comparable[k] and (worse := changed or (impossible if found.strain[k] >= before[k] else None)) is not None:
            code[m], reasons[m] = int(Code.WORSE), f"{REASONS[Code.WORSE]}: {worse}"


def _clean(outcome: Outcome, clean_below: float | None) -> NDArray[np.int8]:
    """Whether the network sees no noise in each result, [M]; -1 where it did not look or no limit is set."""
    times = np.asarray(outcome.results["last_time"], np.float64)
    if clean_below is None:
        return np.full(len(times), -1, np.int8)
    return np.where(np.isnan(times), -1, times < clean_below).astype(np.int8)


def _contacts(structures: Structures) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):  # refused molecules may hold any number
        return closest_contacts(structures.without_columns())


def table_of(relaxed: Structures) -> pd.DataFrame:
    """One row for each molecule with its name, its number of atoms and the columns above that it has, bytes as text."""
    import pandas as pd  # slow to import, and asked for by few

    values: dict[str, Any] = {"name": relaxed.names, "n_atoms": relaxed.sizes}
    for name in (*COLUMNS[:-1], *(name for name in SPREADS if name in relaxed.columns), "reason"):
        column = relaxed.column(name)
        values[name] = [text.decode() for text in column.tolist()] if column.dtype.kind == "S" else column
    return pd.DataFrame(values)
