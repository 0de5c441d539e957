"""Logs of a run: one row of a CSV per validation, curves for TensorBoard, and one progress bar.

Columns of ``log.csv``: step (batches), epoch, seconds, learning_rate, skipped, then ``train_`` losses (means since the row
before) and ``val_`` metrics (`TrainingModule.summarise`).
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from morered.files import atomic_path
from morered.training.module import TrainingModule

LOG = "log.csv"
CURVES = "tensorboard"
_CURVE_INTERVAL = 50  # batches between points of the training curves


class Logs:
    """Writes the CSV, and curves for TensorBoard.

    The rows are part of the checkpoint: a resumed run writes the whole file again, without rows from after the checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOG
        self._rows: list[dict[str, int | float | str]] = []
        self._curves: SummaryWriter | None = None

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

    @contextmanager
    def opened(self, batches: int, write: bool = True) -> Iterator[None]:
        """Begin the file with the rows there are, and the curves after so many batches; without ``write`` rows are only kept."""
        if not write:
            yield
            return
        self.write()
        self._curves = SummaryWriter(str(self._path.parent / CURVES), purge_step=batches or None)
        try:
            yield
        finally:
            self._curves.close()
            self._curves = None

    def batch(self, module: TrainingModule, rate: float) -> None:
        """A point of the training curves, at some batches."""
        if module.counters.batches % _CURVE_INTERVAL == 0:
            losses = {f"train/{name}": value.item() for name, value in module.last_losses.items()}
            self._plot({**losses, "learning_rate": rate}, module.counters.batches)

    def validation(self, module: TrainingModule, rate: float) -> None:
        """A row."""
        counters = module.counters
        means = counters.take_means()
        self._rows.append(
            {
                "step": counters.batches,
                "epoch": round(module.epoch, 4),
                "seconds": round(counters.seconds, 2),
                "learning_rate": rate,
                "skipped": counters.skipped,
                **{f"train_{name}": means.get(name, "") for name in module.last_losses},
                **{f"val_{name}": value for name, value in module.metrics.items()},
            }
        )
        if self._curves is None:
            return
        if len(self._rows) == 1:
            self.write()
        else:
            with open(self._path, "a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, list(self._rows[0])).writerow(self._rows[-1])
        self._plot({f"validation/{name}": value for name, value in module.metrics.items()}, counters.batches)

    def _plot(self, values: Mapping[str, float], step: int) -> None:
        if self._curves is not None:
            for name, value in values.items():
                self._curves.add_scalar(name, value, step)


class Bar:
    """One bar for the whole run, with losses; the time left is that to the first limit.

    Parameters
    ----------
    module
        What is trained.
    show
        Whether to show it; by default if the standard error is a terminal.
    first
        Whether this process is the first one: others show none.
    """

    def __init__(self, module: TrainingModule, show: bool | None, first: bool = True) -> None:
        terminal = sys.stderr.isatty()
        self._module = module
        limited = module.config.is_limited
        self._bar = tqdm(
            total=1.0 if limited else None,
            desc="training",
            bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}" if limited else "{desc}: {elapsed}{postfix}",
            dynamic_ncols=True,
            initial=module.fraction,
            mininterval=0.2 if terminal else 20.0,  # seconds: a log file need not hold every state of the bar
            disable=not (first and (terminal if show is None else show)),
        )

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self) -> None:
        """Move it."""
        if self._bar.disable:
            return
        module, counters = self._module, self._module.counters
        self._bar.n = min(1.0, module.fraction)
        shown = {"step": counters.batches, "loss": f"{counters.level:.4f}"}
        there = [name for name in ("noise", "time", "energy", "forces") if name in module.metrics]
        shown |= {f"val {name}": f"{module.metrics[name]:.4f}" for name in there}
        shown |= {"skipped": counters.skipped} if counters.skipped else {}
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(0)
