"""Methods one after another: each goes on from where the one before it ended, and the verdicts become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from morered.chemistry import same_bonds
from morered.metrics.rmsd import align
from morered.metrics.stereo import stereo_kept
from morered.relaxation.methods import Method
from morered.relaxation.relax import Relaxation, RelaxationInterrupted, relax
from morered.structures import Structures

_UNRELAXED = (b"refused", b"failed")


@dataclass(frozen=True)
class StagedRelaxation(Relaxation):
    """A `Relaxation`, and whether Ctrl-C ended it early."""

    interrupted: bool = False


def relax_stages(structures: Structures, stages: Sequence[Method], *, recording: Any = None, **options: Any) -> StagedRelaxation:
    """Relax with each method in turn.

    Parameters
    ----------
    structures
        M molecules.
    stages
        At least one method. A molecule that one refuses, or fails on, stays where the one before it left it, and is not tried
        further.
    recording
        Kept of the first stage.
    **options
        Those of `morered.relaxation.relax`.

    Returns
    -------
    StagedRelaxation
        The verdict and its reason are those of the last stage that tried; steps and seconds are sums; first values are the
        first stage's, last values the last one's; bonds and stereochemistry are compared with the input.
    """
    done, interrupted = _relax(structures, stages[0], recording=recording, **options)
    result = done.structures
    for stage in stages[1:]:
        going = np.flatnonzero(~np.isin(result.column("verdict"), _UNRELAXED))
        if interrupted or not len(going):
            break
        part, interrupted = _relax(result.without_columns()[going], stage, **options)
        result = _merged(structures, result, part.structures, going)
    return StagedRelaxation(result, done.trajectories, interrupted)


def _relax(structures: Structures, method: Method, **options: Any) -> tuple[Relaxation, bool]:
    try:
        return relax(structures, method, **options), False
    except RelaxationInterrupted as stop:
        return stop.relaxation, True


def _merged(inputs: Structures, before: Structures, part: Structures, going: np.ndarray) -> Structures:
    """``before`` with what became of its molecules ``going`` in a further stage."""
    moved = ~np.isin(part.column("verdict"), _UNRELAXED)
    positions = np.array(before.positions)
    for k in np.flatnonzero(moved).tolist():
        m = going[k]
        positions[int(before.offsets[m]) : int(before.offsets[m + 1])] = part.molecule(k).positions
    columns = {name: column._replace(values=_wide(column.values, part, name)) for name, column in before.columns.items()}
    for name in ("verdict", "reason", "last_time", "last_fmax", "closest_contact"):
        columns[name].values[going] = part.column(name)
    for name in ("steps", "seconds"):
        columns[name].values[going] += part.column(name)
    fresh = going[np.isnan(columns["first_fmax"].values[going])]
    columns["first_fmax"].values[fresh] = part.column("first_fmax")[np.isin(going, fresh)]
    chosen = going[moved]
    result = before.with_positions(positions)
    start = inputs.without_columns()[chosen]
    end = align(result.without_columns()[chosen], start)
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
