"""The stages of a run: which settings hold for a batch, by its number alone, so that a resumed run is the same.

Shapes: B molecules of batches.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from morered.settings.noise import ElasticNoise
from morered.settings.training import TrainingConfig


class Drawing(NamedTuple):
    """What draws depend on: one value for all, or one for each molecule, [B]; None: the noise's own settings."""

    step_power: int | Tensor
    share: Tensor | None = None
    decades: Tensor | None = None


class Stages:
    """The settings of each batch of a run with this config."""

    def __init__(self, config: TrainingConfig) -> None:
        stages, noise = config.stages, config.noise
        steps = config.max_steps or 0
        self._ends = torch.tensor([round(stage.until * steps) for stage in stages], dtype=torch.int64)
        own = (noise.share, noise.decades) if isinstance(noise, ElasticNoise) else (0.0, 0.0)

        def values(name: str, last: float) -> list[float]:
            given = (getattr(stage, name) for stage in stages)
            return [last if value is None else value for value in given] + [last]

        self._rates = values("learning_rate", config.learning_rate)
        self._powers = torch.tensor(values("step_power", config.step_power), dtype=torch.int64)
        self._share = torch.tensor(values("share", own[0]), dtype=torch.float64)
        self._decades = torch.tensor(values("decades", own[1]), dtype=torch.float64)
        self._elastic = isinstance(noise, ElasticNoise)

    def learning_rate(self, batch: int) -> float:
        """The learning rate of a batch, before warm-up and decay."""
        return self._rates[int(torch.bucketize(batch, self._ends, right=True))]

    def of(self, batches: Tensor) -> Drawing:
        """What the draws of molecules [B] of the batches with these numbers [B] depend on."""
        if not len(self._ends):
            return Drawing(int(self._powers[0]))
        stage = torch.bucketize(batches, self._ends.to(batches.device), right=True)
        powers, share, decades = (values.to(batches.device)[stage] for values in (self._powers, self._share, self._decades))
        return Drawing(powers, share, decades) if self._elastic else Drawing(powers)
