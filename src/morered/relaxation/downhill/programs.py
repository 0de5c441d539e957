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

from morered import calculators
from morered.checks.known import stated_bonds
from morered.frozen import frozen_atoms
from morered.parallel import TaskFailure, map_processes
from morered.relaxation.codes import Code
from morered.relaxation.downhill.one_molecule import Task, program_options, relax_molecule
from morered.relaxation.engine.endings import code_of
from morered.relaxation.recording import UNITS, Recording
from morered.relaxation.result import Progress, Result
from morered.settings.relaxation import TIMEOUT, PhysicalMethod
from morered.structures import Structures
from morered.trajectories import Recorder
from morered.worker import describe

#: Open Babel has one force field for all threads of a process.
_ONE_AT_A_TIME = threading.Lock()


def settings(program: str) -> dict[str, Any]:
    """The options that a method may give a program, with their defaults."""
    return {name: default for name, default in program_options(program).items() if name != "recording"}


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
    recorder = None if recording is None else Recorder(structures.ids, UNITS)
    tasks = _tasks(structures)
    options = {**method.options, "program": method.program, "recording": recording}
    done = steps = 0
    try:
        for m, one in _results(partial(relax_molecule, **options), tasks, method, workers):
            if isinstance(one, TaskFailure):
                result.code[m], result.reasons[m] = int(Code.FAILED), one.reason
            else:
                _put(result, structures, m, one, recorder)
            done, steps = done + 1, steps + int(result.steps[m])
            if progress is not None:
                progress(done, len(structures), steps)
    except KeyboardInterrupt:
        result.interrupted = True
    result.trajectories = None if recorder is None else recorder.finish()
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
    function: Callable[[Any], Result], tasks: Sequence[Any], method: PhysicalMethod, workers: int | None
) -> Iterator[tuple[int, Result | TaskFailure]]:
    """(index, result) of each task as it is finished."""
    if method.timeout is None and 1 in (workers, len(tasks)):
        yield from _here(function, tasks, method.program)
        return
    timeout = TIMEOUT if method.timeout is None else method.timeout
    yield from map_processes(function, tasks, workers=workers, timeout=None if math.isinf(timeout) else timeout)


def _here(function: Callable[[Any], Result], tasks: Sequence[Any], program: str) -> Iterator[tuple[int, Result | TaskFailure]]:
    from threadpoolctl import threadpool_limits

    calculators.get(program)  # loads its libraries: only what is loaded can be held to one thread
    for m, task in enumerate(tasks):
        try:
            with _ONE_AT_A_TIME, threadpool_limits(1):
                result: Result | TaskFailure = function(task)
        except Exception as error:
            result = TaskFailure(describe(error), "raised")
        yield m, result


def _put(result: Result, structures: Structures, m: int, one: Result, recorder: Recorder | None) -> None:
    """Take over what became of molecule ``m``, held to what no relaxation does."""
    atoms = slice(int(structures.offsets[m]), int(structures.offsets[m + 1]))
    broken = code_of(structures.positions[atoms], one.positions) if one.relaxed[0] else None
    if broken is not None:
        one.code[:], one.reasons = int(broken), [None]
    result.put(np.array([m]), one)
    if recorder is None or one.trajectories is None:
        return
    steps = one.trajectories.trajectory(0)
    for k in range(int(one.trajectories.lengths[0])):
        columns = {name: values[[k]] for name, values in steps.columns.items()}
        recorder.add([m], columns, None if steps.frames is None else [steps.frames[k]])
