"""Checkpoints: one file that holds everything, replaced as a whole, so that a run killed anywhere continues as if it had not
been.

``last.ckpt`` holds weights, average, best weights, optimisers, counters and the states of rate and log. ``best.safetensors``
beside it is the best model so far, to be used while a training runs.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from morered.files import atomic_path
from morered.training.averaging import State, WeightAveraging
from morered.training.counters import Counters
from morered.training.logs import Logs
from morered.training.module import TrainingModule
from morered.training.optimizers import Optimizers
from morered.training.rate import LearningRate

LAST = "last.ckpt"
BEST = "best.safetensors"
_VERSION = 2
_SIGNALS = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)

type Part = WeightAveraging | LearningRate | Logs

_log = logging.getLogger(__name__)


class TrainingInterrupted(RuntimeError):
    """A signal ended the training; the checkpoint is written, and the same call continues it."""

    def __init__(self, signum: int, batches: int) -> None:
        self.signum = signum
        super().__init__(
            f"the training was stopped by {signal.Signals(signum).name} after {batches} batches; run it again to continue"
        )


class Checkpoints:
    """Writes and reads the checkpoint.

    Parameters
    ----------
    folder
        Where the files are.
    identity
        Of the run: a checkpoint of another run is not continued.
    minutes
        Between checkpoints.
    parts
        What belongs to the run besides network, optimisers and counters, by name; "average" is the `WeightAveraging`.
    write_best
        Called with a path and the best state.
    requeue
        Called after the checkpoint that SIGUSR1 asked for.
    """

    def __init__(
        self,
        folder: Path,
        identity: str,
        minutes: float,
        parts: Mapping[str, Part],
        write_best: Callable[[Path, State], None],
        requeue: Callable[[], None],
    ) -> None:
        self.folder = folder
        self.identity = identity
        self.seconds = 60 * minutes
        self._write_best = write_best
        self._parts = parts
        self._requeue = requeue
        self._written_best = -1
        self._saved_at = time.monotonic()
        self._signal = 0

    # ----------------------------------------------------------------- reading

    def read(self) -> dict[str, Any] | None:
        """The checkpoint of this run; None where there is none, or (reported) a damaged one or one of another run."""
        path = self.folder / LAST
        if not path.exists():
            return None
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            _log.warning("%s cannot be read (%s); the training starts anew", path, error)
            return None
        if state.get("version") != _VERSION or state.get("identity") != self.identity:
            kept = path.with_name("other.ckpt")
            with suppress(FileNotFoundError):  # another process of the training has moved it
                path.rename(kept)
            _log.warning(
                "%s belongs to another model, other settings or other data; the training starts anew, and it is kept as %s",
                path, kept.name,
            )  # fmt: skip
            return None
        return state

    def resume(self, module: TrainingModule, optimizers: Optimizers) -> None:
        """Continue from the checkpoint, if there is one."""
        self._saved_at = time.monotonic()
        state = self.read()
        if state is None:
            return
        module.network.load_state_dict(state["network"])
        optimizers.load_state_dict(state["optimizers"])
        module.counters = Counters.from_dict(state["counters"])
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        self._written_best = module.counters.best_batch

    # ----------------------------------------------------------------- writing

    def save(self, module: TrainingModule, optimizers: Optimizers) -> None:
        """Write both files, on the first process."""
        self._saved_at = time.monotonic()
        if module.processes.rank:
            return
        state = {
            "version": _VERSION,
            "identity": self.identity,
            "network": module.network.state_dict(),
            "optimizers": optimizers.state_dict(),
            "counters": module.counters.to_dict(),
            **{name: part.state_dict() for name, part in self._parts.items()},
        }
        best = self._parts["average"].state_dict()["best"]
        if best is not None and module.counters.best_batch != self._written_best:
            self._write_best(self.folder / BEST, best)
            self._written_best = module.counters.best_batch
        with atomic_path(self.folder / LAST) as path:  # the last: a run that goes on from it finds the other file as it should be
            torch.save(state, path)

    def save_if_due(self, module: TrainingModule, optimizers: Optimizers) -> None:
        """Save if it is time or a signal came.

        Raises
        ------
        TrainingInterrupted
            After a signal; one to one process is one to all.
        """
        number = int(module.processes.largest(self._signal))
        if number or time.monotonic() - self._saved_at >= self.seconds:
            self.save(module, optimizers)
        if number:
            if number == signal.SIGUSR1 and module.processes.rank == 0:
                self._requeue()
            raise TrainingInterrupted(number, module.counters.batches)

    # ----------------------------------------------------------------- signals

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note signals inside, so that the run ends at its next checkpoint."""
        handlers = {number: signal.signal(number, self._note) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._signal and number == signal.SIGINT:  # asked twice: at once
            raise KeyboardInterrupt
        self._signal = number
