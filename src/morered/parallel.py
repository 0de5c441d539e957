"""Runs independent tasks in worker processes. One that hangs or dies harms no other.

Quantum chemistry and force-field libraries are Fortran and C++: they hold global state, loop for ever on a bad geometry, and
end their process when they give up (a Fortran ``STOP`` even ends it with exit status 0). So tasks run in processes with one
thread each and one pipe to the parent, nothing is shared between them, a worker that dies or runs over its time is replaced,
and the task it had comes back as a `TaskFailure`. The pipe per worker is what makes this certain: a lost worker closes its pipe
whatever its exit status, and no lock is left behind.

The pools that others keep lack what the tests here ask for. In `concurrent.futures` and loky, by their documents, a worker that
dies breaks the pool for all tasks, and neither knows a time limit for one task. Pebble 5.2 was tried: it has both, but waits for
ever for a task whose worker left with status 0, and imports the caller's main module again.

Workers are new programs (`morered.worker`), neither forks of the caller nor importers of its main module: a plain script needs no
``if __name__ == "__main__":``, a notebook or a thread may call, and what the main module defines travels by value (cloudpickle).
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, spawn
from typing import Any, Literal

import cloudpickle

from morered.worker import STOPS

#: What makes the numerical libraries of a process use one thread; read by them when they are loaded.
ONE_THREAD: Mapping[str, str] = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class TaskFailure:
    """A task without a result.

    Attributes
    ----------
    reason
        A sentence for people, e.g. ``"ValueError: no such element"`` or ``"over the time limit of 60 s"``.
    kind
        ``"raised"``: the function raised; ``"timeout"``: it was stopped at the time limit; ``"died"``: its process ended;
        ``"killed"``: its process was ended by others, which tells nothing of the task but perhaps that memory ran out.
    details
        The traceback in the worker, where the function raised.
    """

    reason: str
    kind: Literal["raised", "timeout", "died", "killed"]
    details: str = ""


def available_cores() -> int:
    """Cores that this process may use (its affinity, which is what a batch system grants)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_processes[T, R](
    function: Callable[[T], R],
    tasks: Iterable[T],
    *,
    workers: int | None = None,
    timeout: float | None = None,
    progress: Progress | None = None,
    ahead: int | None = None,
) -> Iterator[tuple[int, R | TaskFailure]]:
    """Run ``function(task)`` for each task in worker processes and yield each result as it finishes.

    Parameters
    ----------
    function
        Importable in the workers (a module's function, or a `functools.partial` of one), or defined in the main module.
    tasks
        Taken one by one as workers become free: an endless or lazy iterable is fine.
    workers
        Number of processes, one thread each; the available cores if None. No more are started than there are tasks.
    timeout
        Seconds for one task, counted from when a ready worker gets it; its worker is then killed and replaced.
    progress
        Called with (tasks done, number of tasks or None if unknown) after each task.
    ahead
        How many tasks are begun at most from the oldest one at work on, which keeps what waits for it small where results are
        needed in order; any number if None.

    Yields
    ------
    (index, result)
        The index of the task in ``tasks`` and what the function returned, or a `TaskFailure`. Each task is yielded exactly once.

    Raises
    ------
    ValueError
        If ``workers``, ``timeout`` or ``ahead`` is not positive.
    RuntimeError
        If a worker cannot start, e.g. because the function cannot be imported there.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    if timeout is not None and not timeout > 0:
        raise ValueError(f"timeout must be positive, not {timeout}")
    if ahead is not None and ahead < 1:
        raise ValueError(f"ahead must be at least 1, not {ahead}")
    payload = cloudpickle.dumps(function)  # here, so that a function that cannot be sent is refused at once
    total = len(tasks) if isinstance(tasks, Sized) else None
    return _run(payload, tasks, total, workers or available_cores(), timeout, progress, ahead)


def _run(
    payload: bytes,
    tasks: Iterable[Any],
    total: int | None,
    workers: int,
    timeout: float | None,
    progress: Progress | None,
    ahead: int | None,
) -> Iterator[tuple[int, Any]]:
    queue = enumerate(tasks)
    begun = 0
    pool: list[_Worker] = []
    done = 0
    try:
        exhausted = False
        while True:
            while not exhausted:  # keep every worker busy before anything is yielded: the caller may take its time
                idle = next((worker for worker in pool if worker.index is None), None)
                if idle is None and len(pool) >= workers:
                    break
                oldest = min((worker.index for worker in pool if worker.index is not None), default=begun)
                if ahead is not None and begun - oldest >= ahead:
                    break
                try:
                    index, task = next(queue)
                    begun = index + 1
                except StopIteration:
                    exhausted = True
                    break
                if idle is None:
                    idle = _Worker(payload, first=done == 0)
                    pool.append(idle)
                idle.assign(index, task)
            busy = [worker for worker in pool if worker.index is not None]
            if not busy:
                return
            finished = _wait(busy, timeout)
            pool = [worker for worker in pool if not worker.gone]
            for index, outcome in finished:
                done += 1
                if progress is not None:
                    progress(done, total)
                yield index, outcome
    finally:  # also when the caller stops early or is interrupted
        for worker in pool:
            worker.kill()


def _wait(busy: list[_Worker], timeout: float | None) -> list[tuple[int, Any]]:
    """Outcomes of the workers that finished, died or ran over their time; waits for at least one event."""
    now = time.monotonic()
    starts = [worker.started for worker in busy if worker.started is not None]
    patience = None if timeout is None or not starts else max(0.0, min(starts) + timeout - now)
    ready = connection.wait([worker.connection for worker in busy], patience)
    now = time.monotonic()
    finished = []
    for worker in busy:
        index = worker.index
        if worker.connection in ready:
            outcome = worker.receive()
            if outcome is not _PENDING:
                finished.append((index, outcome))
        elif timeout is not None and worker.started is not None and now - worker.started >= timeout:
            worker.kill()
            finished.append((index, TaskFailure(f"over the time limit of {timeout:g} s", "timeout")))
    return finished  # type: ignore[return-value]  # a busy worker's index is an int


_PENDING = object()


class _Worker:
    """The parent's side of one worker process: its pipe, and the index and start time of the task it has."""

    def __init__(self, payload: bytes, first: bool) -> None:
        self.first = first  # nothing has worked yet: if this one cannot start, none can
        self.connection, theirs = connection.Pipe()
        command = [os.fsdecode(spawn.get_executable()), *_flags(), "-c", _PROGRAM, str(theirs.fileno())]
        environment = {**os.environ, **ONE_THREAD, "PYTHONSAFEPATH": "1"}  # for what it starts, too
        with _without_stops():
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], env=environment)
        theirs.close()  # the worker now has the only other end, so that its death closes the pipe
        with suppress(OSError):  # it died already: seen when its answer is waited for
            self.connection.send(sys.path)
            self.connection.send_bytes(payload)
        self.index: int | None = None
        self.started: float | None = None
        self.gone = False
        self._ready = False
        self._task: bytes | None = None

    def assign(self, index: int, task: Any) -> None:
        self.index = index
        self._task = cloudpickle.dumps(task)
        if self._ready:
            self._send()

    def receive(self) -> Any:
        """The outcome of the task, or ``_PENDING`` if the worker only told that it is ready."""
        try:
            kind, value = pickle.loads(self.connection.recv_bytes())
        except (EOFError, OSError):
            return self._died()
        if kind == "ready":
            self._ready = True
            self._send()
            return _PENDING
        if kind == "unusable":
            self.kill()
            raise RuntimeError(f"a worker process cannot start: {value}")
        self.index = self.started = None
        return TaskFailure(value[0], "raised", value[1]) if kind == "raised" else value

    def kill(self) -> None:
        """End the process and wait until it is gone."""
        self.gone = True
        self.process.kill()
        self.process.wait()
        self.connection.close()

    def _send(self) -> None:
        assert self._task is not None
        self.started = time.monotonic()
        with suppress(OSError):  # it died meanwhile: seen when its answer is waited for
            self.connection.send_bytes(self._task)
        self._task = None

    def _died(self) -> TaskFailure:
        with suppress(subprocess.TimeoutExpired):  # the pipe may close a moment before the process is gone
            self.process.wait(5.0)
        code = self.process.returncode
        self.kill()
        if not self._ready and self.first:
            raise RuntimeError(f"a worker process ended while starting ({_exit_text(code)}); its output above says why")
        if code == -signal.SIGKILL:
            return TaskFailure("its process was killed (SIGKILL), as happens where memory runs out", "killed")
        return TaskFailure(f"its process ended ({_exit_text(code)})", "died")


def _exit_text(code: int | None) -> str:
    if code is None:
        return "closed its pipe"
    if code >= 0:
        return f"exit status {code}"
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


# --------------------------------------------------------------------- starting


#: What a worker runs: the caller's module path comes first, so that it finds the same modules, this package included.
_PROGRAM = """
import sys
from multiprocessing.connection import Connection
pipe = Connection(int(sys.argv[1]))
try:
    sys.path[:] = pipe.recv()
except (EOFError, OSError):
    sys.exit(1)
from morered.worker import work
work(pipe)
"""


def _flags() -> list[str]:
    """Options of the interpreter: the current folder is no place of modules but where the caller's path has it."""
    return ["-P", *(["-E"] if sys.flags.ignore_environment else []), *(["-s"] if sys.flags.no_user_site else [])]


@contextmanager
def _without_stops() -> Iterator[None]:
    """Block `STOPS` in this thread while it starts a process, which inherits the mask from its first instruction on.

    An ignored signal could not be inherited without the parent losing its own Ctrl-C for that time; a blocked one waits.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
