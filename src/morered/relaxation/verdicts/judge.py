"""The verdict of each molecule: what a method calls its end, held to the checks (`morered.checks`).

Shapes: M molecules, A atoms (flat).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from morered.checks.geometry import strain
from morered.checks.judged import Checks, check
from morered.checks.known import stated_alone, without_stated
from morered.checks.table import CHECKS
from morered.chemistry import closest_contacts
from morered.metrics.rmsd import rmsd
from morered.relaxation.codes import REASONS, VERDICTS, Code
from morered.relaxation.result import VALUES, Result
from morered.relaxation.verdicts.columns import told
from morered.relaxation.verdicts.geometry import laid_on, turned, with_results, without_stale
from morered.structures import Column, Structures

#: Å. Nearer than this no two atoms of a molecule can be (H2: 0.74): a result that claims to have converged has collapsed.
COLLAPSED = 0.3


def judge(
    inputs: Structures,
    result: Result,
    *,
    positions_matter: bool = True,
    clean_below: float | None = None,
    checked: bool = True,
    notes: Sequence[str | None] | None = None,
) -> Result:
    """The relaxed structures on their inputs (those with frozen atoms where they are), with all columns of a verdict.

    What belongs to the input's geometry (its energy, forces, ...) is taken from the molecules that were relaxed, and the
    method's ``energy`` and ``forces`` stand in its place.

    Parameters
    ----------
    inputs : Structures
        M molecules as they were given, with the bonds that their source states (`morered.checks.known`), if any.
    result : Result
        What a method made of them.
    positions_matter : bool
        False where the input's positions were replaced: nothing is compared with them.
    clean_below : float, optional
        What the last predicted time must be below; None where the method sets no limit.
    checked : bool
        False where the verdict is the method's own, whatever the checks say.
    notes : list, optional
        [M] sentences that are added to the reasons, None for none.

    Returns
    -------
    Result
        With the final codes and sentences.
    """
    result = replace(result, code=result.code.copy(), reasons=list(result.reasons), given=inputs)
    code, reasons = result.code, result.reasons
    at_rest = np.array([verdict == "converged" for verdict in result.verdicts], dtype=bool)
    ends = inputs.with_positions(result.positions)
    collapsed = at_rest & (_contacts(ends) < COLLAPSED)
    code[collapsed] = int(Code.COLLAPSED)
    for m in np.flatnonzero(collapsed).tolist():
        reasons[m] = REASONS[Code.COLLAPSED]

    chosen = np.flatnonzero(result.relaxed)
    passed = {name: np.full(len(inputs), -1, np.int8) for name in CHECKS}
    if len(chosen):
        found = check(ends[chosen], inputs[chosen] if positions_matter else None)
        for name, values in found.passed.items():
            passed[name][chosen] = values
        if checked:
            _hold_to(found, chosen, inputs if positions_matter else None, code, reasons)
    passed["at_rest"][chosen] = at_rest[chosen]
    passed["clean"] = _clean(result, clean_below)

    relaxed = result.relaxed
    atoms, kept = relaxed[inputs.molecule_index], np.flatnonzero(relaxed)
    positions = np.array(inputs.positions, dtype=np.float64)
    positions[atoms] = result.positions[atoms]
    inputs = without_stale(inputs, relaxed)
    forces, moved = result.forces, np.full(len(inputs), np.nan)
    if positions_matter and len(kept):
        before = stated_alone(inputs)[kept]
        unturned = inputs.with_positions(positions).without_columns()[kept]
        after = laid_on(unturned, before)
        if forces is not None:
            forces[atoms] = turned(forces[atoms], unturned, after)
        positions[atoms] = after.positions
        moved[kept] = rmsd(after, before.without_columns())
    judged = inputs.with_positions(positions)
    if notes is not None:
        for m, note in enumerate(notes):
            if note is not None:
                reasons[m] = f"{reasons[m] or REASONS[Code(int(code[m]))]}; {note}"
    verdict = told(code.tolist(), reasons)
    columns = {
        "verdict": verdict["verdict"],
        **{name: result.structures.columns[name] for name in ("steps", *VALUES)},
        "moved": Column(moved, "Å"),
        **{name: Column(values) for name, values in passed.items()},
        "closest_contact": Column(_contacts(judged), "Å"),
        "seconds": result.structures.columns["seconds"],
        "reason": verdict["reason"],
    }
    judged = without_stated(judged)
    if result.energies is not None and forces is not None:
        judged = with_results(judged, kept, result.energies, forces)
    sentences = [sentence.decode() for sentence in verdict["reason"].values.tolist()]
    return replace(result, structures=judged.with_columns(columns), reasons=sentences)


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


def _clean(result: Result, clean_below: float | None) -> NDArray[np.int8]:
    """Whether the network sees no noise in each result, [M]; -1 where it did not look or no limit is set."""
    times = result.values("last_time")
    if clean_below is None:
        return np.full(len(times), -1, np.int8)
    return np.where(np.isnan(times), -1, times < clean_below).astype(np.int8)


def _contacts(structures: Structures) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):  # refused molecules may hold any number
        return closest_contacts(structures.without_columns())
