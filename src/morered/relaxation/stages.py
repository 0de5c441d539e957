"""Methods one after another: each goes on from where the one before it ended, and the verdicts become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from morered.chemistry import same_bonds
from morered.metrics.rmsd import align, rmsd
from morered.metrics.stereo import stereo_kept
from morered.relaxation.methods import Method
from morered.relaxation.recording import Recording
from morered.relaxation.relax import Relaxation, RelaxationInterrupted, relax
from morered.structures import Structures
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
        At least one method. A molecule that one refuses, or fails on, stays where the one before it left it, and is not tried
        further.
    recording
        What is kept of the steps; frames are kept of the first stage only.
    **options
        Those of `morered.relaxation.relax`.

    Returns
    -------
    StagedRelaxation
        The verdict and its reason are those of the last stage that tried; steps and seconds are sums; first values are the
        first stage's, last values the last one's; distance, bonds and stereochemistry are compared with the input.
    """
    done, interrupted = _relax(structures, stages[0], recording=recording, **options)
    result, further = done.structures, []
    if recording is not None:
        recording = replace(recording, frames=False)
    for stage in stages[1:]:
        going = np.flatnonzero(~np.isin(result.column("verdict"), _UNRELAXED))
        if interrupted or not len(going):
            break
        try:
            part, interrupted = _relax(result.without_columns()[going], stage, recording=recording, **options)
        except KeyboardInterrupt:  # before this stage began: the one before it keeps its results
            interrupted = True
            break
        result = _merged(structures, result, part.structures, going)
        if part.trajectories is not None:
            further.append(part.trajectories)
    return StagedRelaxation(result, done.trajectories, interrupted, tuple(further))


def _relax(structures: Structures, method: Method, **options: Any) -> tuple[Relaxation, bool]:
    try:
        return relax(structures, method, **options), False
    except RelaxationInterrupted as stop:
        return stop.relaxation, True


def _merged(inputs: Structures, before: Structures, part: Structures, going: np.ndarray) -> Structures:
    """``before`` with what became of its molecules ``going`` in a further stage."""
    relaxed = ~np.isin(part.column("verdict"), _UNRELAXED)
    positions = np.array(before.positions)
    for k in np.flatnonzero(relaxed).tolist():
        m = going[k]
        positions[int(before.offsets[m]) : int(before.offsets[m + 1])] = part.molecule(k).positions
    columns = {name: column._replace(values=_wide(column.values, part, name)) for name, column in before.columns.items()}
    for name in ("verdict", "reason", "last_time", "last_fmax", "closest_contact"):
        columns[name].values[going] = part.column(name)
    for name in ("steps", "seconds"):
        columns[name].values[going] += part.column(name)
    fresh = going[np.isnan(columns["first_fmax"].values[going])]
    columns["first_fmax"].values[fresh] = part.column("first_fmax")[np.isin(going, fresh)]
    chosen = going[relaxed]
    result = before.with_positions(positions)
    start = inputs.without_columns()[chosen]
    end = align(result.without_columns()[chosen], start)
    columns["moved"].values[chosen] = rmsd(end, start)
    columns["bonds_kept"].values[chosen] = same_bonds(start, end)
    columns["stereo_kept"].values[chosen] = stereo_kept(start, end)
    for m, aligned in zip(chosen.tolist(), end, strict=True):
        positions[int(result.offsets[m]) : int(result.offsets[m + 1])] = aligned.positions
    return inputs.with_positions(positions).with_columns({**before.columns, **columns})


def _wide(values: np.ndarray, part: Structures, name: str) -> np.ndarray:
    """A copy that texts of the further stage fit into."""
    if values.dtype.kind == "S" and name in part.columns:
        return values.astype(f"S{max(values.dtype.itemsize, part.column(name).dtype.itemsize)}")
    return np.array(values)
