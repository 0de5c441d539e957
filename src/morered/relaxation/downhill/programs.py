"""Methods that take one molecule at a time (GFN-xTB, MMFF94).

Their code is Fortran and C++ with global state that may hang or die on a bad geometry: in worker processes each molecule is a
task of its own with a time limit, and a lost one is a verdict (see `morered.parallel`). One molecule, or one worker that is asked
for, without a time limit, needs no other process: then the work is done in this one, by one thread as in a worker, with the same
result.

Shapes: M molecules, N atoms of one molecule.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from morered import calculators
from morered.checks.known import stated_bonds
from morered.frozen import frozen_atoms
from morered.parallel import TaskFailure, map_processes
from morered.relaxation.codes import Code
from morered.relaxation.downhill.one_molecule import RelaxedOne, Task, program_options, timed_relax_molecule
from morered.relaxation.engine.endings import code_of
from morered.relaxation.recording import UNITS, Recording
from morered.relaxation.result import Progress, Result
from morered.settings.relaxation import TIMEOUT, PhysicalMethod
from morered.structures import Structures
from morered.trajectories import Recorder, Trajectories
from morered.worker import describe

#: A relaxed molecule and the seconds it took.
Timed = tuple[RelaxedOne, float]

#: Open Babel has one force field for all threads of a process.
_ONE_AT_A_TIME = threading.Lock()

_CODES = {
    "converged": Code.CONVERGED,
    "step-cap": Code.STEP_CAP,
    "refused": Code.REFUSED,
    "failed": Code.FAILED,
}


def settings(program: str) -> dict[str, Any]:
    """The options that a method may give a program, with their defaults."""
    return {name: default for name, default in program_options(program).items() if name != "record"}


def relax_with_program(
    structures: Structures,
    method: PhysicalMethod,
    *,
    workers: int | None = None,
    recording: Recording | None = None,
    progress: Progress | None = None,
) -> Result:
    """Relax molecules.

    Parameters
    ----------
    structures, method, recording, progress
        What, how, what is kept of it, and what is told of it.
    workers
        Processes, as many as there are cores if None. One, or any number for one molecule, is this process where
        ``method.timeout`` is None.

    Returns
    -------
    Result
        With energies and forces; after Ctrl-C what is done by then is kept.
    """
    result = Result.begin(structures, forces=True)
    records: list[RelaxedOne | None] = [None] * len(structures)
    tasks = _tasks(structures)
    options = {**method.options, "program": method.program, "record": recording is not None}
    done = steps = 0
    try:
        for m, one in _results(partial(timed_relax_molecule, **options), tasks, method, workers):
            if isinstance(one, TaskFailure):
                result.code[m], result.reasons[m] = int(Code.FAILED), one.reason
            else:
                records[m], seconds = one
                _put(result, structures, m, one[0], seconds)
            done, steps = done + 1, steps + int(result.steps[m])
            if progress is not None:
                progress(done, len(structures), steps)
    except KeyboardInterrupt:
        result.interrupted = True
    result.trajectories = None if recording is None else _trajectories(structures, records, recording)
    return result


def _tasks(structures: Structures) -> list[Task]:
    """Each molecule with its electrons, the bonds that its source states and its frozen atoms."""
    pairs, stated = stated_bonds(structures)
    owner, frozen = structures.molecule_index[pairs[:, 0]], frozen_atoms(structures)
    charges, unpaired = structures.charges.tolist(), structures.unpaired.tolist()
    tasks = []
    for m, (_, numbers, positions) in enumerate(structures):
        start, end = int(structures.offsets[m]), int(structures.offsets[m + 1])
        tasks.append(
            Task(
                numbers,
                np.array(positions, dtype=np.float64),
                charges[m],
                unpaired[m],
                bonds=pairs[owner == m] - start if stated[m] else None,
                frozen=frozen[start:end] if frozen[start:end].any() else None,
            )
        )
    return tasks


def _results(
    function: Callable[[Any], Timed], tasks: Sequence[Any], method: PhysicalMethod, workers: int | None
) -> Iterator[tuple[int, Timed | TaskFailure]]:
    """(index, result) of each task as it is finished."""
    if method.timeout is None and 1 in (workers, len(tasks)):
        yield from _here(function, tasks, method.program)
        return
    timeout = TIMEOUT if method.timeout is None else method.timeout
    yield from map_processes(function, tasks, workers=workers, timeout=None if math.isinf(timeout) else timeout)


def _here(function: Callable[[Any], Timed], tasks: Sequence[Any], program: str) -> Iterator[tuple[int, Timed | TaskFailure]]:
    from threadpoolctl import threadpool_limits

    calculators.get(program)  # loads its libraries: only what is loaded can be held to one thread
    for m, task in enumerate(tasks):
        try:
            with _ONE_AT_A_TIME, threadpool_limits(1):
                result: Timed | TaskFailure = function(task)
        except Exception as error:
            result = TaskFailure(describe(error), "raised")
        yield m, result


def _put(result: Result, structures: Structures, m: int, one: RelaxedOne, seconds: float) -> None:
    atoms = slice(int(structures.offsets[m]), int(structures.offsets[m + 1]))
    result.positions[atoms] = one.positions
    result.steps[m], result.seconds[m] = one.steps, seconds
    result.values("first_fmax")[m], result.values("last_fmax")[m] = one.first_fmax, one.last_fmax
    if result.energies is not None and result.forces is not None and one.forces is not None:
        result.energies[m], result.forces[atoms] = one.energy, one.forces
    code = _CODES[one.verdict]
    broken = code_of(structures.positions[atoms], one.positions) if code in (Code.CONVERGED, Code.STEP_CAP) else None
    if broken is not None:
        code = broken
    else:
        result.reasons[m] = "; ".join(filter(None, (one.reason, one.warning))) or None
    result.code[m] = int(code)


def _trajectories(structures: Structures, results: list[RelaxedOne | None], recording: Recording) -> Trajectories:
    recorder = Recorder(structures.ids, UNITS)
    for m, one in enumerate(results):
        if one is None or one.record is None:
            continue
        n = len(one.record.energies)
        for k in range(n):
            if k % recording.stride == 0 or k == n - 1:
                columns: dict[str, ArrayLike] = {"step": [k], "fmax": one.record.fmax[[k]], "energy": one.record.energies[[k]]}
                recorder.add([m], columns, [one.record.positions[k]] if recording.frames else None)
    return recorder.finish()
