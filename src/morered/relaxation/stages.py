"""Methods one after another: each goes on from where the one before it ended, and the verdicts become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morered.chemistry import same_bonds
from morered.metrics.rmsd import align, rmsd
from morered.metrics.stereo import stereo_kept
from morered.properties import is_of_geometry
from morered.relaxation.methods import Method
from morered.relaxation.recording import Recording
from morered.relaxation.relax import Relaxation, RelaxationInterrupted, relax
from morered.relaxation.results import turned, with_results, without_stale
from morered.relaxation.verdicts import COLUMNS
from morered.structures import Column, Structures
from morered.trajectories import Trajectories

_UNRELAXED = (b"refused", b"failed")


@dataclass(frozen=True)
class StagedRelaxation(Relaxation):
    """A `Relaxation` whose trajectories are the first stage's.

    Attributes
    ----------
    interrupted : bool
        Whether Ctrl-C ended it early.
    further : tuple of Trajectories
        Those of each further stage that ran, without frames, of the molecules it was given.
    """

    interrupted: bool = False
    further: tuple[Trajectories, ...] = ()


def relax_stages(
    structures: Structures, stages: Sequence[Method], *, recording: Recording | None = None, **options: Any
) -> StagedRelaxation:
    """Relax with each method in turn.

    Parameters
    ----------
    structures
        M molecules.
    stages
        At least one method. A molecule that one refuses, or fails on, stays where the one before it left it, and is tried by
        the next one from there.
    recording
        What is kept of the steps; frames are kept of the first stage only.
    **options
        Those of `morered.relaxation.relax`.

    Returns
    -------
    StagedRelaxation
        The verdict is the last stage's, and so is the reason, which says of a molecule that the stage before it did not relax why
        not; steps and seconds are sums; first values are the first stage's, last values the last one's; distance, bonds and
        stereochemistry are compared with the input.
    """
    done, interrupted = _relax(structures, stages[0], recording=recording, **options)
    result, further = done.structures, []
    if recording is not None:
        recording = replace(recording, frames=False)
    for stage in stages[1:]:
        if interrupted:
            break
        try:
            part, interrupted = _relax(result.without_columns(), stage, recording=recording, **options)
        except KeyboardInterrupt:  # before this stage began: the one before it keeps its results
            interrupted = True
            break
        result = _merged(structures, result, part.structures)
        if part.trajectories is not None:
            further.append(part.trajectories)
    return StagedRelaxation(result, done.trajectories, interrupted, tuple(further))


def _relax(structures: Structures, method: Method, **options: Any) -> tuple[Relaxation, bool]:
    try:
        return relax(structures, method, **options), False
    except RelaxationInterrupted as stop:
        return stop.relaxation, True


def _merged(inputs: Structures, before: Structures, part: Structures) -> Structures:
    """``before`` with what became of its molecules in a further stage."""
    relaxed = ~np.isin(part.column("verdict"), _UNRELAXED)
    atoms = relaxed[before.molecule_index]
    positions = np.where(atoms[:, None], part.positions, before.positions)
    columns = {name: column._replace(values=np.array(column.values)) for name, column in before.columns.items()}
    for name in ("verdict", "last_time", "last_fmax", "closest_contact"):
        columns[name] = part.columns[name]
    columns["reason"] = Column(_reasons(before, part, relaxed))
    for name in ("steps", "seconds"):
        columns[name].values[:] += part.column(name)
    first = columns["first_fmax"].values
    columns["first_fmax"] = columns["first_fmax"]._replace(values=np.where(np.isnan(first), part.column("first_fmax"), first))
    chosen = np.flatnonzero(relaxed)
    start = inputs.without_columns()[chosen]
    unturned = before.with_positions(positions).without_columns()[chosen]
    end = align(unturned, start)
    positions[atoms] = end.positions
    columns["moved"].values[chosen] = rmsd(end, start)
    columns["bonds_kept"].values[chosen] = same_bonds(start, end)
    columns["stereo_kept"].values[chosen] = stereo_kept(start, end)
    # The input's own are taken anew, and energies are the last stage's: those of an earlier one are of another level.
    columns = {name: column for name, column in columns.items() if name in COLUMNS or not is_of_geometry(name)}
    moved = _moved(inputs, positions)
    result = without_stale(inputs, moved).with_positions(positions).with_columns(columns)
    if "energy" not in part.columns or "forces" not in part.columns:
        return result
    forces = np.array(part.column("forces"), dtype=np.float64)
    forces[atoms] = turned(forces[atoms], unturned, end)
    return with_results(result, chosen, part.column("energy"), forces)


def _moved(inputs: Structures, positions: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which molecules are not where they were given, [M]."""
    there = (inputs.positions == positions) | (np.isnan(inputs.positions) & np.isnan(positions))
    return inputs.per_molecule_sum((~there.all(axis=1)).astype(np.float64)) > 0


def _reasons(before: Structures, part: Structures, relaxed: NDArray[np.bool_]) -> NDArray[np.bytes_]:
    """Those of a further stage; where it relaxed what the one before it did not, that one's as well."""
    reasons = part.column("reason").tolist()
    verdicts, first = (before.column(name) for name in ("verdict", "reason"))
    for m in np.flatnonzero(relaxed & np.isin(verdicts, _UNRELAXED)).tolist():
        reasons[m] = b"%s; the method before it %s: %s" % (reasons[m], verdicts[m], first[m])
    return np.array(reasons, dtype=np.bytes_).reshape(len(reasons))
