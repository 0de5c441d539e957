"""Logs of a run: one row of a CSV per validation, curves for TensorBoard, and one progress bar.

Columns of ``log.csv``: step (batches), epoch, seconds, learning_rate, skipped, then ``train_`` losses (means since the row
before) and ``val_`` metrics (`TrainingModule.summarise`).
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from tqdm import tqdm

from morered.files import atomic_path
from morered.training.hooks import Hooks
from morered.training.module import TrainingModule

LOG = "log.csv"
_CURVE_INTERVAL = 50  # batches between points of the training curves


class Clock(Hooks):
    """Counts the seconds of the run, and ends it at its limits."""

    def __init__(self) -> None:
        self._last = 0.0

    def train_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """Begin to count."""
        self._last = time.monotonic()

    def batch_end(self, trainer: Trainer, module: TrainingModule) -> None:
        """Count, and stop where a limit is reached."""
        now = time.monotonic()
        module.counters.seconds += now - self._last
        self._last = now
        if trainer.strategy.reduce_boolean_decision(module.fraction >= 1, all=False):
            trainer.should_stop = True


class Logs(Hooks):
    """Writes the CSV, and curves to Lightning's loggers.

    The rows are part of the checkpoint: a resumed run writes the whole file again, without rows from after the checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOG
        self._rows: list[dict[str, int | float | str]] = []

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"rows": self._rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self._rows = list(state["rows"])

    def write(self) -> None:
        """The whole file."""
        with atomic_path(self._path) as path, open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(self._rows[0]) if self._rows else ["step"])
            writer.writeheader()
            writer.writerows(self._rows)

    def train_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """Begin the file with the rows there are."""
        if trainer.is_global_zero:
            self.write()

    def batch_end(self, trainer: Trainer, module: TrainingModule) -> None:
        """A point of the training curves."""
        counters = module.counters
        if counters.batches % _CURVE_INTERVAL == 0 and not module.skipped:
            losses = {f"train/{name}": value.item() for name, value in module.last_losses.items()}
            self._plot(trainer, {**losses, "learning_rate": _rate(trainer)}, counters.batches)

    def validation_end(self, trainer: Trainer, module: TrainingModule) -> None:
        """A row."""
        counters = module.counters
        means = counters.take_means()
        self._rows.append(
            {
                "step": counters.batches,
                "epoch": round(module.epoch, 4),
                "seconds": round(counters.seconds, 2),
                "learning_rate": _rate(trainer),
                "skipped": counters.skipped,
                **{f"train_{name}": means.get(name, "") for name in module.last_losses},
                **{f"val_{name}": value for name, value in module.metrics.items()},
            }
        )
        if not trainer.is_global_zero:
            return
        if len(self._rows) == 1:
            self.write()
        else:
            with open(self._path, "a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, list(self._rows[0])).writerow(self._rows[-1])
        self._plot(trainer, {f"validation/{name}": value for name, value in module.metrics.items()}, counters.batches)

    @staticmethod
    def _plot(trainer: Trainer, values: Mapping[str, float], step: int) -> None:
        for logger in trainer.loggers:
            logger.log_metrics(dict(values), step=step)


class Bar(Hooks):
    """One bar for the whole run, with losses; the time left is that to the first limit."""

    def __init__(self, show: bool | None) -> None:
        self._terminal = sys.stderr.isatty()
        self._show = self._terminal if show is None else show
        self._bar: tqdm | None = None

    def train_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """Open it."""
        if not (self._show and trainer.is_global_zero):
            return
        limited = module.config.is_limited
        form = "{l_bar}{bar}| {elapsed}<{remaining}{postfix}" if limited else "{desc}: {elapsed}{postfix}"
        interval = 0.2 if self._terminal else 20.0  # seconds: a log file need not hold every state of the bar
        total = 1.0 if limited else None
        self._bar = tqdm(
            total=total, desc="training", bar_format=form, dynamic_ncols=True, initial=module.fraction, mininterval=interval
        )

    def batch_end(self, trainer: Trainer, module: TrainingModule) -> None:
        """Move it."""
        if self._bar is not None:
            self._bar.n = min(1.0, module.fraction)
            counters = module.counters
            shown = {"step": counters.batches, "loss": f"{counters.level:.4f}"}
            there = [name for name in ("noise", "time", "energy", "forces") if name in module.metrics]
            shown |= {f"val {name}": f"{module.metrics[name]:.4f}" for name in there}
            shown |= {"skipped": counters.skipped} if counters.skipped else {}
            self._bar.set_postfix(shown, refresh=False)
            self._bar.update(0)

    def train_end(self, trainer: Trainer, module: TrainingModule) -> None:
        """Close it."""
        self._close()

    def failed(self, trainer: Trainer, module: TrainingModule) -> None:
        """Close it."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _rate(trainer: Trainer) -> float:
    return trainer.optimizers[0].param_groups[0]["lr"]
