"""PaiNN in dense, padded tensors.

Schütt, Unke, Gastegger: Equivariant message passing for the prediction of tensorial properties and molecular spectra, ICML 2021.
Parameters and buffers are named as in SchNetPack 2.2, so that the same state dict loads into its PaiNN and into this one.

Shapes: B batch, N padded atoms, F features, K radial basis.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from morered.models.geometry import Pairs, pair_geometry
from morered.models.layers import Linear, mlp

#: Rows of the embedding: atomic numbers 0 (padding) to 99, as in SchNetPack.
N_ELEMENTS = 100


class RadialBasis(nn.Module):
    """Gaussians at equal spacings from 0 to the cutoff, as wide as their spacing; holds ``offsets`` and ``widths`` [K] in Å."""

    offsets: Tensor
    widths: Tensor

    def __init__(self, n_radial: int, cutoff: float) -> None:
        super().__init__()
        offsets = torch.linspace(0.0, cutoff, n_radial)
        self.register_buffer("offsets", offsets)
        self.register_buffer("widths", torch.ones_like(offsets) * (offsets[1] - offsets[0]))


class CosineCutoff(nn.Module):
    """Holds the radius in Å, ``cutoff`` [1]."""

    cutoff: Tensor

    def __init__(self, cutoff: float) -> None:
        super().__init__()
        self.register_buffer("cutoff", torch.tensor([cutoff]))


class Interaction(nn.Module):
    """Messages between atoms: filtered neighbours' features change an atom's scalars and vectors (PaiNN, Eqs. 7 and 8)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.interatomic_context_net = mlp([features, features, 3 * features])

    def forward(self, q: Tensor, mu: Tensor | None, filters: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Scalars [B, N, F] and vectors [B, N, 3, F] after the messages.

        ``mu`` is None where all vectors are still zero; ``filters`` is [B, N, N, 3F] with the cutoff in it, ``directions``
        [B, N, N, 3].
        """
        features = q.shape[-1]
        w_q, w_r, w_mu = filters.split(features, dim=-1)
        x_q, x_r, x_mu = self.interatomic_context_net(q).split(features, dim=-1)
        dq = (w_q * x_q[:, None]).sum(dim=2)
        along = w_r * x_r[:, None]
        dmu = (along[:, :, :, None, :] * directions[..., None]).sum(dim=2)
        if mu is None:
            return q + dq, dmu
        dmu = dmu + ((w_mu * x_mu[:, None])[:, :, :, None, :] * mu[:, None]).sum(dim=2)
        return q + dq, mu + dmu


class Mixing(nn.Module):
    """Scalars and vectors of one atom change each other (PaiNN, Eqs. 9 and 10)."""

    def __init__(self, features: int, epsilon: float = 1e-8) -> None:
        super().__init__()
        self.intraatomic_context_net = mlp([2 * features, features, 3 * features])
        self.mu_channel_mix = Linear(features, 2 * features, bias=False)
        self.epsilon = epsilon

    def forward(self, q: Tensor, mu: Tensor) -> tuple[Tensor, Tensor]:
        """Scalars [B, N, F] and vectors [B, N, 3, F] after mixing."""
        v, w = self.mu_channel_mix(mu).chunk(2, dim=-1)
        lengths = (v.square().sum(dim=-2) + self.epsilon).sqrt()
        dq, dmu, dqmu = self.intraatomic_context_net(torch.cat([q, lengths], dim=-1)).chunk(3, dim=-1)
        return q + dq + dqmu * (v * w).sum(dim=-2), mu + dmu[..., None, :] * w


class PaiNN(nn.Module):
    """The representation: one scalar and one vector feature row per atom.

    Parameters
    ----------
    features, interactions, radial_basis : int
        F, number of interaction blocks, K.
    cutoff : float
        Å.
    """

    def __init__(self, features: int, interactions: int = 3, radial_basis: int = 20, cutoff: float = 5.0) -> None:
        super().__init__()
        self.features = features
        self.cutoff = float(cutoff)
        self.radial_basis = RadialBasis(radial_basis, cutoff)
        self.cutoff_fn = CosineCutoff(cutoff)
        self.embedding = nn.Embedding(N_ELEMENTS, features)
        self.filter_net = Linear(radial_basis, interactions * 3 * features)
        self.interactions = nn.ModuleList(Interaction(features) for _ in range(interactions))
        self.mixing = nn.ModuleList(Mixing(features) for _ in range(interactions))

    def forward(self, numbers: Tensor, positions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Scalars [B, N, F] and vectors [B, N, 3, F] from numbers [B, N], positions [B, N, 3] in Å and mask [B, N].

        Rows of padding hold no meaning, but are finite.
        """
        pairs = self.pairs(positions, mask)
        weight = torch.cat([self.filter_net.weight, self.filter_net.bias[:, None]], dim=1)
        q: Tensor = self.embedding(numbers)
        mu: Tensor | None = None
        for block, (interaction, mixing) in enumerate(zip(self.interactions, self.mixing, strict=True)):
            rows = slice(block * 3 * self.features, (block + 1) * 3 * self.features)
            filters = functional.linear(pairs.radial, weight[rows])
            q, mu = mixing(*interaction(q, mu, filters, pairs.directions))
        assert mu is not None
        return q, mu

    def pairs(self, positions: Tensor, mask: Tensor) -> Pairs:
        """Directions and radial features of all pairs."""
        return pair_geometry(positions, mask, self.radial_basis.offsets, self.radial_basis.widths, self.cutoff)
