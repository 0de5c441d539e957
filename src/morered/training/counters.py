"""What a training run has done so far: everything that its limits, logs and checkpoints count."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from morered.settings.training import TrainingConfig

_WINDOW = 100  # batches in the running mean of the loss
_SETTLING = 20  # batches before a loss can count as exploding
_PATIENCE = 200  # batches skipped in a row that end a run


class Diverged(RuntimeError):
    """No batch has had a usable loss for long."""


@dataclass
class Counters:
    """State of a run.

    Attributes
    ----------
    batches
        Batches drawn: the number of the next one.
    skipped, skipped_in_a_row
        Batches whose gradient was not used.
    seconds
        Time spent in the training loop, validation included.
    level
        Running mean of the loss.
    sums, summed
        Losses added up since the last row of the log, and how many.
    best_loss, best_batch, best_metrics
        Lowest validation loss, after how many batches it was found, and all metrics there.
    waited
        Validations since then.
    """

    batches: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0
    seconds: float = 0.0
    level: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    summed: int = 0
    best_loss: float = math.inf
    best_batch: int = 0
    best_metrics: dict[str, float] = field(default_factory=dict)
    waited: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` gave."""
        return cls(**values)

    def take(self, losses: Mapping[str, float], gradient: float, factor: float) -> bool:
        """Count one batch and say whether its gradient can be used.

        Parameters
        ----------
        losses
            By name; ``loss`` is the one that is minimised.
        gradient
            Norm of its gradient.
        factor
            See `TrainingConfig.skip_factor`.

        Raises
        ------
        Diverged
            If that was the last of many in a row that cannot be used.
        """
        loss, used = losses["loss"], self.batches - self.skipped
        self.batches += 1
        exploded = used >= _SETTLING and loss > factor * self.level
        if not (math.isfinite(loss) and math.isfinite(gradient)) or exploded:
            self.skipped += 1
            self.skipped_in_a_row += 1
            if self.skipped_in_a_row >= _PATIENCE:
                raise Diverged(
                    f"the training diverged: {_PATIENCE} batches in a row had a loss that was not finite or over {factor:g} "
                    f"times the mean before ({self.level:.3g}; the last one {loss:.3g}). Lower the learning rate."
                )
            return False
        self.skipped_in_a_row = 0
        self.level += (loss - self.level) / min(used + 1, _WINDOW)
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.summed += 1
        return True

    def validated(self, metrics: Mapping[str, float]) -> bool:
        """Count one validation and say whether its ``loss`` is the lowest so far; one that is not finite is not."""
        if not metrics["loss"] < self.best_loss:
            self.waited += 1
            return False
        self.best_loss, self.best_batch, self.best_metrics, self.waited = metrics["loss"], self.batches, dict(metrics), 0
        return True

    def take_means(self) -> dict[str, float]:
        """Mean losses since the last call."""
        means = {name: value / self.summed for name, value in self.sums.items()} if self.summed else {}
        self.sums, self.summed = {}, 0
        return means

    def fraction(self, config: TrainingConfig) -> float:
        """How much of the run is done, by the limit that comes first; 0 without limits, 1 or more at the end."""
        done = [
            self.batches / config.max_steps if config.max_steps else 0.0,
            self.seconds / config.max_time if config.max_time else 0.0,
        ]
        return max(done)
