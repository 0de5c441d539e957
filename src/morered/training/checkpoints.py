"""Checkpoints: one file that holds everything, replaced as a whole, so that a run killed anywhere continues as if it had not
been.

``last.ckpt`` holds weights, average, best weights, optimiser, counters and the states of the callbacks. ``best.safetensors``
beside it is the best model so far, to be used while a training runs.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping

from morered.files import atomic_path
from morered.training.averaging import State, WeightAveraging
from morered.training.counters import Counters
from morered.training.hooks import Hooks
from morered.training.logs import Logs
from morered.training.module import TrainingModule
from morered.training.rate import LearningRate

LAST = "last.ckpt"
BEST = "best.safetensors"
_VERSION = 1
_SIGNALS = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)

type Part = WeightAveraging | LearningRate | EarlyStopping | Logs

_log = logging.getLogger(__name__)


class TrainingInterrupted(RuntimeError):
    """A signal ended the training; the checkpoint is written, and the same call continues it."""

    def __init__(self, signum: int, batches: int) -> None:
        self.signum = signum
        super().__init__(
            f"the training was stopped by {signal.Signals(signum).name} after {batches} batches; run it again to continue"
        )


class Checkpoints(Hooks):
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
        The callbacks whose states belong to the run, by name; "average" is the `WeightAveraging`.
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
        self._handlers: dict[int, Any] = {}

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
            _log.warning("%s belongs to another model, other settings or other data; the training starts anew", path)
            return None
        return state

    def restore(self, trainer: Trainer, module: TrainingModule, state: dict[str, Any]) -> None:
        """Continue from what `read` gave."""
        module.network.load_state_dict(state["network"])
        trainer.optimizers[0].load_state_dict(state["optimizer"])
        module.counters = Counters.from_dict(state["counters"])
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        self._written_best = module.counters.best_batch

    # ----------------------------------------------------------------- writing

    def save(self, trainer: Trainer, module: TrainingModule) -> None:
        """Write both files, on the first process."""
        self._saved_at = time.monotonic()
        if not trainer.is_global_zero:
            return
        state = {
            "version": _VERSION,
            "identity": self.identity,
            "network": module.network.state_dict(),
            "optimizer": trainer.optimizers[0].state_dict(),
            "counters": module.counters.to_dict(),
            **{name: part.state_dict() for name, part in self._parts.items()},
        }
        with atomic_path(self.folder / LAST) as path:
            torch.save(state, path)
        best = self._parts["average"].state_dict()["best"]
        if best is not None and module.counters.best_batch != self._written_best:
            self._write_best(self.folder / BEST, best)
            self._written_best = module.counters.best_batch

    # ----------------------------------------------------------------- Lightning

    def fit_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """Continue a run, and listen for signals."""
        state = self.read()
        if state is not None:
            self.restore(trainer, module, state)
        self._saved_at = time.monotonic()

    def train_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """Listen for signals (after Lightning has set its own handlers)."""
        self._handlers = {number: signal.signal(number, self._note) for number in _SIGNALS}

    def batch_end(self, trainer: Trainer, module: TrainingModule) -> None:
        """Save if it is time, but not where a validation comes next: the checkpoint would miss it."""
        if not (trainer.should_stop or module.counters.batches % module.round_length == 0):
            self._save_if_due(trainer, module)

    def validation_end(self, trainer: Trainer, module: TrainingModule) -> None:
        """Save if it is time."""
        self._save_if_due(trainer, module)

    def train_end(self, trainer: Trainer, module: TrainingModule) -> None:
        """Save the end."""
        self.save(trainer, module)
        self._unhook()

    def failed(self, trainer: Trainer, module: TrainingModule) -> None:
        """Hear no more signals."""
        self._unhook()

    def _save_if_due(self, trainer: Trainer, module: TrainingModule) -> None:
        number = self._signal
        if trainer.world_size > 1:  # a signal to one process is one to all
            device = trainer.strategy.root_device
            number = int(trainer.strategy.reduce(torch.tensor(float(number), device=device), reduce_op="max").item())
        if number or time.monotonic() - self._saved_at >= self.seconds:
            self.save(trainer, module)
        if number:
            if number == signal.SIGUSR1 and trainer.is_global_zero:
                self._requeue()
            raise TrainingInterrupted(number, module.counters.batches)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._signal and number == signal.SIGINT:  # asked twice: at once
            raise KeyboardInterrupt
        self._signal = number

    def _unhook(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}
