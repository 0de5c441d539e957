"""Generates structures at several caps on the steps, from one process (Fig. B4b). A killed run goes on.

Shapes: M molecules, A atoms (flat).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from morered import storage
from morered.diffusion.random_numbers import stream
from morered.relaxation import DiffusionMethod, relax
from morered.structures import Column, Structures, as_names

#: Steps that are lost at most when a run is killed; at the paper's largest width ten minutes of a GPU for 300 molecules.
STAGE = 1000
#: Raised by hand when what a stage computes changes: stages of an older version are not gone on from.
VERSION = 1

_GOING = b"step-cap"


def generate_to_caps(
    compositions: Structures,
    method: DiffusionMethod,
    caps: Sequence[int],
    *,
    folder: str | os.PathLike[str] | None = None,
    key: Any = None,
    **options: Any,
) -> Structures:
    """What there would be with each of several caps on the steps, from one process: where it stands at each cap, or ended before.

    The process is a Markov chain, so that stopping it and going on from there with fresh noise is the same process. It is stopped
    at every cap and every `STAGE` steps; each stretch has a seed of its own.

    Parameters
    ----------
    compositions, method
        M molecules and how to make them, as for `morered.generation.sampling.generate`; the method's own cap is not used.
    caps
        Numbers of steps, ascending.
    folder
        Where each stretch is kept, so that a run that was killed goes on from the last one; None keeps none. Delete it once the
        result is safe (`morered.resumable.discard`).
    key
        What decides the result beside the molecules, the caps and the code: the sampler's settings and weights (JSON); needed
        where there is a ``folder``.
    options
        Those of `morered.relaxation.relax`.

    Returns
    -------
    Structures
        [len(caps) * M], all molecules at the first cap, then at the next: ids ``<id>@<cap>``, references the compositions' ids,
        columns ``cap``, ``verdict`` and ``steps``.

    Raises
    ------
    ValueError
        If the caps do not ascend, or the method starts from structures.
    """
    if not caps or list(caps) != sorted(set(caps)) or caps[0] < 1:
        raise ValueError(f"caps must ascend from at least 1, not {list(caps)}")
    if method.start != "noise":
        raise ValueError("generation starts from noise; this method starts from the structure given")
    state = _with(compositions, np.zeros((compositions.n_atoms, 3)), np.full(len(compositions), _GOING, "S9"), 0)
    parts = []
    for taken, border in pairwise([0, *sorted({*caps, *range(STAGE, caps[-1], STAGE)})]):
        file = None if folder is None else Path(folder) / f"{_digest(compositions, caps, key)}-{border}.h5"
        if file is not None and file.is_file():
            state = storage.read(file)
        else:
            state = _continued(state, method, taken, border, options)
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                storage.write(file, state)
        if border in caps:
            parts.append(_at_cap(state, border))
    return Structures.concatenate(parts)


def _continued(state: Structures, method: DiffusionMethod, taken: int, border: int, options: dict[str, Any]) -> Structures:
    """The molecules after ``border`` steps, of which they have taken ``taken`` or ended before."""
    verdicts, steps = state.column("verdict").copy(), state.column("steps").copy()
    going = np.flatnonzero(verdicts == _GOING)
    if not len(going):
        return state
    stretch = replace(method, steps=border - taken)
    if taken:
        stretch = replace(stretch, seed=stream(method.seed, "cap", taken), start="input")
    done = relax(state.without_columns()[going], stretch, checked=False, **options).structures
    positions = np.array(state.positions)
    positions[np.isin(state.molecule_index, going)] = done.positions
    verdicts[going] = done.column("verdict")
    steps[going] += done.column("steps")
    return _with(state.without_columns(), positions, verdicts, steps)


def _with(molecules: Structures, positions: Any, verdicts: Any, steps: Any) -> Structures:
    """Molecules at ``positions`` [A, 3] in Å with the columns ``verdict`` and ``steps``, [M]."""
    counts = np.broadcast_to(np.asarray(steps, np.int32), len(molecules)).copy()
    return (
        molecules.without_columns().with_positions(positions).with_columns({"verdict": Column(verdicts), "steps": Column(counts)})
    )


def _at_cap(state: Structures, cap: int) -> Structures:
    named = Structures(
        state.numbers, state.positions, state.offsets, as_names([f"{name}@{cap}" for name in state.names]), state.ids
    )
    columns = {
        "cap": Column(np.full(len(named), cap, np.int32)),
        "verdict": state.columns["verdict"],
        "steps": state.columns["steps"],
    }
    return named.with_columns(columns)


def _digest(compositions: Structures, caps: Sequence[int], key: Any) -> str:
    """Of all that decides the result: stretches of another run are never taken."""
    total = hashlib.sha256(json.dumps([key, list(caps), STAGE, VERSION], sort_keys=True).encode())
    for array in (compositions.ids, compositions.offsets, compositions.numbers):
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()[:20]
