"""Linear layers and perceptrons with SchNetPack's initialisation and names."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from morered.models.torch_ops import Ops


class Linear(nn.Linear):
    """A linear layer with Xavier-uniform weights and zero bias."""

    def reset_parameters(self) -> None:
        """Draw the weights."""
        nn.init.xavier_uniform_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class MLP(nn.ModuleList):
    """Linear layers with SiLU between them; layer k is named ``k``."""

    def layers(self) -> list[Linear]:
        """In the order of computing."""
        return [layer for layer in self if isinstance(layer, Linear)]

    def forward(self, x: Tensor, ops: Ops) -> Tensor:
        """[..., sizes[0]] -> [..., sizes[-1]]."""
        last = len(self) - 1
        for k, layer in enumerate(self):
            x = layer(x)
            if k < last:
                x = ops.silu(x)
        return x


def mlp(sizes: Sequence[int]) -> MLP:
    """A perceptron from sizes[0] inputs to sizes[-1] outputs."""
    return MLP(Linear(n_in, n_out) for n_in, n_out in pairwise(sizes))


def halving(features: int, layers: int) -> list[int]:
    """Sizes of a head with one output, its features halved from layer to layer: [256, 128, 64, 1] for 3 (Appendix C.2)."""
    return [max(1, features >> k) for k in range(layers)] + [1]
