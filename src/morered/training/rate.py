"""The learning rate: that of the run's stage, with a warm-up, then halving on plateaus or a cosine to zero."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from morered.settings.training import TrainingConfig
from morered.training.stages import Stages


class LearningRate:
    """The rate of each batch, from the number of batches, the part of the run that is done, and the validation losses."""

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config
        self._stages = Stages(config)
        p = config.plateau
        # the scheduler works on a rate of 1: what it leaves of it is the factor for the real one
        self._unit = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        self._plateau = ReduceLROnPlateau(
            self._unit, factor=p.factor, patience=p.patience, cooldown=p.cooldown, threshold=0.0, eps=0.0
        )

    @property
    def factor(self) -> float:
        """What plateaus have left of the rate."""
        return self._unit.param_groups[0]["lr"]

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"factor": self.factor, "plateau": self._plateau.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self._plateau.load_state_dict(state["plateau"])
        self._unit.param_groups[0]["lr"] = state["factor"]

    def at(self, batches: int, fraction: float) -> float:
        """The rate after so many batches, when this part of the run is done."""
        rate = self._stages.learning_rate(batches) * self.factor
        if batches < self.config.warmup_steps:
            rate *= (batches + 1) / self.config.warmup_steps
        if self.config.schedule == "cosine":
            rate *= (1 + math.cos(math.pi * min(1.0, fraction))) / 2
        return rate

    def validated(self, loss: float) -> None:
        """Lower it where the validation loss stagnates."""
        if self.config.schedule == "plateau":
            self._plateau.step(loss)
