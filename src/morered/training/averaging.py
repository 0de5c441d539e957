"""The exponential moving average of the weights: what is validated, kept and used (Appendix C.2)."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from morered.training.hooks import Hooks
from morered.training.module import TrainingModule

State = dict[str, Tensor]


class WeightAveraging(Hooks):
    """Follows the weights after each step, stands in for them in validations, and keeps its best state.

    Attributes
    ----------
    average
        The averaged weights: a tensor for each of the network's parameters, on its device.
    best
        The network's state (averaged) with the lowest validation loss, on the CPU; None before the first finite one.
    """

    def __init__(self, decay: float, warmup: bool) -> None:
        self.decay = decay
        self.warmup = warmup
        self.updates = 0
        self.average: list[Tensor] = []
        self.best: State | None = None
        self._current: list[Tensor] | None = None

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"updates": self.updates, "average": self.average, "best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint; the average must have been set up."""
        self.updates = state["updates"]
        for average, stored in zip(self.average, state["average"], strict=True):
            average.copy_(stored)
        self.best = state["best"]

    def fit_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """Start from the initial weights."""
        self.average = [p.detach().clone() for p in module.network.parameters()]

    def batch_end(self, trainer: Trainer, module: TrainingModule) -> None:
        """Move towards the weights, unless the batch was skipped."""
        if module.skipped:
            return
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates)) if self.warmup else self.decay
        self.updates += 1
        torch._foreach_lerp_(self.average, [p.detach() for p in module.network.parameters()], 1 - decay)

    def validation_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """Put the average into the network."""
        self._current = [p.detach().clone() for p in module.network.parameters()]
        self._fill(module, self.average)

    def validation_end(self, trainer: Trainer, module: TrainingModule) -> None:
        """Keep the average if it is the best, and put the weights back."""
        counters, loss = module.counters, module.metrics["loss"]
        if loss < counters.best_loss:  # not for NaN
            counters.best_loss, counters.best_batch, counters.best_metrics = loss, counters.batches, dict(module.metrics)
            self.best = self._state(module)
        self._restore(module)

    def train_end(self, trainer: Trainer, module: TrainingModule) -> None:
        """Without any finite validation loss, the last average is the best."""
        if self.best is None:
            self.validation_start(trainer, module)
            self.best = self._state(module)
            self._restore(module)

    def failed(self, trainer: Trainer, module: TrainingModule) -> None:
        """Leave the network as it was."""
        self._restore(module)

    @staticmethod
    def _state(module: TrainingModule) -> State:
        return {name: value.detach().cpu().clone() for name, value in module.network.state_dict().items()}

    def _restore(self, module: TrainingModule) -> None:
        if self._current is not None:
            self._fill(module, self._current)
            self._current = None

    @staticmethod
    @torch.no_grad()
    def _fill(module: TrainingModule, values: list[Tensor]) -> None:
        for parameter, value in zip(module.network.parameters(), values, strict=True):
            parameter.copy_(value)
