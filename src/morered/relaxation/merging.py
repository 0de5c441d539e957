"""What two methods in turn made of molecules, as one result: where the second begins, and what counts of the first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from morered.checks.judged import check
from morered.checks.known import stated_alone, without_stated
from morered.checks.table import GEOMETRY, IDENTITY
from morered.metrics.rmsd import rmsd
from morered.properties import is_of_geometry
from morered.relaxation.codes import REASONS, VERDICTS, Code
from morered.relaxation.result import Result
from morered.relaxation.verdicts.columns import AUTO, COLUMNS, EXPECTED, told
from morered.relaxation.verdicts.geometry import laid_on, turned, with_results, without_stale
from morered.structures import Structures


def start_of(inputs: Structures, before: Structures) -> Structures:
    """Where a further stage begins, with the bonds and frozen atoms that the inputs' source states: it must keep these."""
    changed = (before.column("verdict") == b"changed")[inputs.molecule_index]
    positions = np.where(changed[:, None], inputs.positions, before.positions)
    return stated_alone(inputs).with_positions(positions)


def merged(inputs: Structures, start: Structures, done: Result, further: Result) -> Result:
    """``done`` with what became of its molecules in a further stage, which began at ``start``."""
    before, part, relaxed = done.structures, further.structures, further.relaxed
    atoms = relaxed[before.molecule_index]
    positions = np.where(atoms[:, None], part.positions, start.positions)
    columns = {name: column._replace(values=np.array(column.values)) for name, column in before.columns.items()}
    for name in ("last_time", "last_fmax", "closest_contact", "at_rest", "clean", *GEOMETRY):
        columns[name] = part.columns[name]
    for name in ("steps", "seconds"):
        columns[name].values[:] += part.column(name)
    first = columns["first_fmax"].values
    columns["first_fmax"] = columns["first_fmax"]._replace(values=np.where(np.isnan(first), part.column("first_fmax"), first))
    chosen = np.flatnonzero(relaxed)
    origin = inputs[chosen]
    unturned = before.with_positions(positions).without_columns()[chosen]
    end = laid_on(unturned, origin)
    positions[atoms] = end.positions
    columns["moved"].values[chosen] = rmsd(end, origin.without_columns())
    columns["moved"].values[~relaxed & (before.column("verdict") == b"changed")] = np.nan  # they are where they were given
    found = check(end, origin)
    for name in IDENTITY:
        columns[name].values[chosen] = found.passed[name]
    code, reasons = further.code.copy(), _reasons(done, further)
    for m, changed in zip(chosen.tolist(), found.changed, strict=True):
        if changed and VERDICTS[Code(int(code[m]))] == "converged":
            code[m], reasons[m] = int(Code.CHANGED), f"{REASONS[Code.CHANGED]}: {changed}"
    columns |= told(code.tolist(), reasons)
    # The input's own are taken anew, and energies are the last stage's: those of an earlier one are of another level.
    columns = {name: column for name, column in columns.items() if name in (*COLUMNS, AUTO) or not is_of_geometry(name)}
    columns |= {name: part.columns[name] for name in EXPECTED if name in part.columns}
    moved = _moved(inputs, positions)
    result = without_stale(inputs, moved).with_positions(positions).with_columns(columns)
    if "energy" in part.columns and "forces" in part.columns:
        forces = np.array(part.column("forces"), dtype=np.float64)
        forces[atoms] = turned(forces[atoms], unturned, end)
        result = with_results(result, chosen, part.column("energy"), forces)
    paths = done.further if further.trajectories is None else (*done.further, further.trajectories)
    return Result(without_stated(result), code, reasons, done.trajectories, further.interrupted, inputs, paths)


def _moved(inputs: Structures, positions: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which molecules are not where they were given, [M]."""
    there = (inputs.positions == positions) | (np.isnan(inputs.positions) & np.isnan(positions))
    return inputs.per_molecule_sum((~there.all(axis=1)).astype(np.float64)) > 0


def _reasons(done: Result, further: Result) -> list[str | None]:
    """Those of a further stage; where it relaxed what the one before it did not, that one's as well."""
    reasons, verdicts = list(further.reasons), done.verdicts
    for m in np.flatnonzero(further.relaxed & ~done.relaxed).tolist():
        reasons[m] = f"{reasons[m]}; the method before it {verdicts[m]}: {done.reasons[m]}"
    return reasons
