"""Heads: per-atom noise, time or energy from a representation (paper, Appendix C.1).

Shapes: `...` is [B, N] or, where flat, [A]; F features.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from morered.models.layers import MLP, Linear, halving, mlp
from morered.models.torch_ops import Ops

#: Under the root of a squared length: no change in float32 above lengths of 1e-5, and a finite gradient at 0.
TINY = 1e-16


class GatedEquivariantBlock(nn.Module):
    """Scalars gate vectors, vectors' lengths feed scalars (PaiNN, Fig. 3b); parameters named as in SchNetPack.

    Parameters
    ----------
    features_in, features_out, hidden : int
        Scalar features that come in and vector features as many; those that go out; those of the gating perceptron.
    with_time : bool
        Whether a time comes in as one more scalar.
    last : bool
        Whether the outgoing scalars are left without activation.
    """

    mix_vectors: Linear
    scalar_net: MLP

    def __init__(self, features_in: int, features_out: int, hidden: int, with_time: bool, last: bool) -> None:
        super().__init__()
        self.features_in = features_in
        self.with_time = with_time
        self.last = last
        self.mix_vectors = Linear(features_in, 2 * features_out, bias=False)
        self.scalar_net = mlp([features_in + with_time + features_out, hidden, 2 * features_out])

    def forward(self, scalars: Tensor, vectors: Tensor, times: Tensor | None, ops: Ops) -> tuple[Tensor, Tensor]:
        """Scalars [..., F], vectors [..., 3, F] and, where one comes in, times [...] -> [..., O], [..., 3, O]."""
        context, _, w = ops.mix_in(scalars, self.mix_vectors(vectors), TINY)
        first, second = self.scalar_net.layers()
        if times is None:
            hidden = first(context)
        else:  # the time's column stands between those of the scalars and of the lengths
            columns = first.weight.split([self.features_in, 1, first.in_features - self.features_in - 1], dim=1)
            hidden = functional.linear(context, torch.cat([columns[0], columns[2]], dim=1), first.bias)
            hidden = hidden + times[..., None].to(hidden.dtype) * columns[1].squeeze(1)
        scalars, gates = second(ops.silu(hidden)).chunk(2, dim=-1)
        return (scalars if self.last else ops.silu(scalars)), gates[..., None, :] * w


class NoiseHead(nn.ModuleList):
    """Gated equivariant blocks that end in one vector per atom; the time joins the scalars as one more feature.

    With 256 features and 3 layers: 291 970 parameters as in SchNetPack's head without a time, and 256 that weigh the time.
    """

    def __init__(self, features: int, layers: int) -> None:
        super().__init__(
            GatedEquivariantBlock(n_in, n_out, hidden=n_in, with_time=k == 0, last=k == layers - 1)
            for k, (n_in, n_out) in enumerate(pairwise(halving(features, layers)))
        )

    def blocks(self) -> list[GatedEquivariantBlock]:
        """In the order of computing."""
        return [block for block in self if isinstance(block, GatedEquivariantBlock)]

    def forward(self, scalars: Tensor, vectors: Tensor, times: Tensor, ops: Ops) -> Tensor:
        """Scalars [..., F], vectors [..., 3, F], times [...] in [0, 1] -> one vector per atom [..., 3]."""
        for k, block in enumerate(self.blocks()):
            scalars, vectors = block(scalars, vectors, times if k == 0 else None, ops)
        return vectors.squeeze(-1)


class AtomHead(nn.Module):
    """One number per atom from its scalars, by a perceptron: a time, or a share of the energy; its layers are ``outnet``'s."""

    outnet: MLP

    def __init__(self, features: int, layers: int) -> None:
        super().__init__()
        self.outnet = mlp(halving(features, layers))

    def forward(self, scalars: Tensor, ops: Ops) -> Tensor:
        """[..., F] -> [...]."""
        return self.outnet(scalars, ops).squeeze(-1)
