"""Heads: per-atom noise, time or energy from a representation (paper, Appendix C.1).

Shapes: B batch, N padded atoms, F features.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from morered.models.layers import MLP, Linear, halving, mlp

#: Under the root of a squared length: no change in float32 above lengths of 1e-5, and a finite gradient at 0.
TINY = 1e-16


class GatedEquivariantBlock(nn.Module):
    """Scalars gate vectors, vectors' lengths feed scalars (PaiNN, Fig. 3b); parameters named as in SchNetPack.

    Parameters
    ----------
    scalars_in, vectors_in : int
        Features that come in.
    features_out : int
        Scalar features that go out, and vector features.
    hidden : int
        Hidden features of the gating perceptron.
    last : bool
        Whether the outgoing scalars are left without activation.
    """

    def __init__(self, scalars_in: int, vectors_in: int, features_out: int, hidden: int, last: bool) -> None:
        super().__init__()
        self.features_out = features_out
        self.last = last
        self.mix_vectors = Linear(vectors_in, 2 * features_out, bias=False)
        self.scalar_net = mlp([scalars_in + features_out, hidden, 2 * features_out])

    def forward(self, scalars: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Scalars [..., S], vectors [..., 3, V] -> [..., O], [..., 3, O]."""
        v, w = self.mix_vectors(vectors).chunk(2, dim=-1)
        lengths = (v.square().sum(dim=-2) + TINY).sqrt()
        scalars, gates = self.scalar_net(torch.cat([scalars, lengths], dim=-1)).chunk(2, dim=-1)
        return (scalars if self.last else functional.silu(scalars)), gates[..., None, :] * w


class NoiseHead(nn.ModuleList):
    """Gated equivariant blocks that end in one vector per atom; the time joins the scalars as one more feature.

    With 256 features and 3 layers: 291 970 parameters as in SchNetPack's head without a time, and 256 that weigh the time.
    """

    def __init__(self, features: int, layers: int) -> None:
        sizes = halving(features, layers)
        super().__init__(
            (
                GatedEquivariantBlock(n_in + (k == 0), n_in, n_out, hidden=n_in, last=k == layers - 1)
                for k, (n_in, n_out) in enumerate(pairwise(sizes))
            )
        )

    def forward(self, scalars: Tensor, vectors: Tensor, times: Tensor) -> Tensor:
        """Scalars [B, N, F], vectors [B, N, 3, F], times [B, N] in [0, 1] -> one vector per atom [B, N, 3]."""
        scalars = torch.cat([scalars, times[..., None].to(scalars.dtype)], dim=-1)
        for block in self:
            scalars, vectors = block(scalars, vectors)
        return vectors.squeeze(-1)


class AtomHead(nn.Module):
    """One number per atom from its scalars, by a perceptron: a time, or a share of the energy; its layers are ``outnet``'s."""

    outnet: MLP

    def __init__(self, features: int, layers: int) -> None:
        super().__init__()
        self.outnet = mlp(halving(features, layers))

    def forward(self, scalars: Tensor) -> Tensor:
        """[B, N, F] -> [B, N]."""
        return self.outnet(scalars).squeeze(-1)
