"""Lightning's callback hooks, for a `TrainingModule` and without the arguments that no callback here looks at."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from morered.training.module import TrainingModule


class Hooks(Callback):
    """A callback that overrides what it needs of the methods below; none of them does anything here."""

    def fit_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """Network and optimiser are on their device; no batch has been drawn."""

    def train_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """The loop begins."""

    def batch_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """A batch was drawn."""

    def batch_end(self, trainer: Trainer, module: TrainingModule) -> None:
        """The weights have moved, or the batch was skipped."""

    def validation_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """The next forward passes are the validation's."""

    def validation_end(self, trainer: Trainer, module: TrainingModule) -> None:
        """The module has its metrics."""

    def train_end(self, trainer: Trainer, module: TrainingModule) -> None:
        """The run has reached its end."""

    def failed(self, trainer: Trainer, module: TrainingModule) -> None:
        """An exception ends the loop."""

    # ----------------------------------------------------------------- Lightning

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """See `fit_start`."""
        self.fit_start(trainer, _training(pl_module))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """See `train_start`."""
        self.train_start(trainer, _training(pl_module))

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """See `batch_start`."""
        self.batch_start(trainer, _training(pl_module))

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """See `batch_end`."""
        self.batch_end(trainer, _training(pl_module))

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """See `validation_start`."""
        self.validation_start(trainer, _training(pl_module))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """See `validation_end`."""
        self.validation_end(trainer, _training(pl_module))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """See `train_end`."""
        self.train_end(trainer, _training(pl_module))

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """See `failed`."""
        self.failed(trainer, _training(pl_module))


def _training(module: LightningModule) -> TrainingModule:
    assert isinstance(module, TrainingModule)
    return module
