"""The exponential moving average of the weights: what is validated, kept and used (Appendix C.2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

State = dict[str, Tensor]


class WeightAveraging:
    """Follows the weights after each step, stands in for them in validations, and keeps its best state.

    Attributes
    ----------
    average
        The averaged weights: a tensor for each of the network's parameters, on its device.
    best
        The network's state (averaged) with the lowest validation loss, on the CPU; None before the first finite one.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.average: list[Tensor] = []
        self.best: State | None = None

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"updates": self.updates, "average": self.average, "best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint; the average must have been set up."""
        self.updates = state["updates"]
        for average, stored in zip(self.average, state["average"], strict=True):
            average.copy_(stored)
        self.best = state["best"]

    def start(self, network: nn.Module) -> None:
        """Start from the network's weights."""
        self.average = [p.detach().clone() for p in network.parameters()]

    def update(self, network: nn.Module) -> None:
        """Move towards the weights."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))  # the average of a short run does not lag behind
        self.updates += 1
        torch._foreach_lerp_(self.average, [p.detach() for p in network.parameters()], 1 - decay)

    @contextmanager
    def standing_in(self, network: nn.Module) -> Iterator[None]:
        """The network has the averaged weights inside, and its own again afterwards."""
        current = [p.detach().clone() for p in network.parameters()]
        _fill(network, self.average)
        try:
            yield
        finally:
            _fill(network, current)

    def keep(self, network: nn.Module) -> None:
        """Keep the network's state as the best."""
        self.best = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


@torch.no_grad()
def _fill(network: nn.Module, values: list[Tensor]) -> None:
    for parameter, value in zip(network.parameters(), values, strict=True):
        parameter.copy_(value)
