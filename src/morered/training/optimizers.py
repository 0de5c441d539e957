"""What changes the weights in a training: AdamW, or Muon for the matrices of layers and AdamW for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from morered.settings.training import TrainingConfig
from morered.training.muon import Muon
from morered.training.processes import Processes


class Optimizers:
    """The optimisers of a network's weights, which step together.

    AdamW has no weight decay (Appendix C.2). Embeddings, biases, and layers that give one number are always AdamW's.

    Parameters
    ----------
    network
        What is trained.
    config
        Says which.
    processes
        Those that train together.
    """

    def __init__(self, network: nn.Module, config: TrainingConfig, processes: Processes) -> None:
        rate, matrices = config.learning_rate, _matrices(network) if config.optimizer == "muon" else []
        others = {id(matrix) for matrix in matrices}
        rest = [parameter for parameter in network.parameters() if id(parameter) not in others]
        self._parts: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, lr=rate, weight_decay=0.0, fused=True)]
        if matrices:
            self._parts.append(Muon(matrices, rate, config.weight_decay, processes))

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next step."""
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = rate

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for part in self._parts:
            part.zero_grad()

    def step(self) -> None:
        """Change the weights."""
        for part in self._parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        for part, saved in zip(self._parts, state["parts"], strict=True):
            part.load_state_dict(saved)


def _matrices(network: nn.Module) -> list[nn.Parameter]:
    """Of the layers from several numbers to several."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    return [
        matrix for layer in layers for matrix in layer.parameters(recurse=False) if matrix.ndim == 2 and min(matrix.shape) > 1
    ]
