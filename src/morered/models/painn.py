"""PaiNN for small molecules, where every pair of atoms is an edge.

Schütt, Unke, Gastegger: Equivariant message passing for the prediction of tensorial properties and molecular spectra, ICML 2021.
Parameters and buffers are named as in SchNetPack 2.2, so that the same state dict loads into its PaiNN and into this one.

The steps are those of `torch_ops` (padded, any device) or `native.ops` (flat, CPUs). Shapes: `...` is [B, N] or [A]; F features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from morered.models.geometry import Pairs
from morered.models.layers import MLP, Linear, mlp
from morered.models.torch_ops import Ops

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
    """The context that atoms send to each other (PaiNN, Fig. 2b); how it is filtered and summed is `message` of the ops."""

    interatomic_context_net: MLP

    def __init__(self, features: int) -> None:
        super().__init__()
        self.interatomic_context_net = mlp([features, features, 3 * features])

    def forward(self, q: Tensor, ops: Ops) -> Tensor:
        """[..., F] -> [..., 3F]."""
        return self.interatomic_context_net(q, ops)


class Mixing(nn.Module):
    """Scalars and vectors of one atom change each other (PaiNN, Fig. 2c)."""

    intraatomic_context_net: MLP
    mu_channel_mix: Linear

    def __init__(self, features: int, epsilon: float = 1e-8) -> None:
        super().__init__()
        self.intraatomic_context_net = mlp([2 * features, features, 3 * features])
        self.mu_channel_mix = Linear(features, 2 * features, bias=False)
        self.epsilon = epsilon

    def forward(self, q: Tensor, mu: Tensor, ops: Ops) -> tuple[Tensor, Tensor]:
        """Scalars [..., F] and vectors [..., 3, F] after mixing."""
        context, dots, w = ops.mix_in(q, self.mu_channel_mix(mu), self.epsilon)
        return ops.mix_out(q, mu, self.intraatomic_context_net(context, ops), w, dots)


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

    def forward(self, numbers: Tensor, pairs: Pairs, ops: Ops) -> tuple[Tensor, Tensor]:
        """Scalars [..., F] and vectors [..., 3, F] from numbers [...] and the pairs that belong to ``ops``.

        Rows of padding hold no meaning, but are finite.
        """
        q: Tensor = functional.embedding(numbers, self.embedding.weight)
        mu: Tensor | None = None
        rows = 3 * self.features
        for block, (interaction, mixing) in enumerate(self.blocks()):
            x = interaction(q, ops) if block else self.first_context(numbers, q, ops)
            part = slice(block * rows, (block + 1) * rows)
            q, mu = mixing(*ops.message(q, x, mu, self.filter_net.weight[part], self.filter_net.bias[part], pairs), ops)
        assert mu is not None
        return q, mu

    def blocks(self) -> list[tuple[Interaction, Mixing]]:
        """In the order of computing."""
        pairs = zip(self.interactions, self.mixing, strict=True)
        return [(first, second) for first, second in pairs if isinstance(first, Interaction) and isinstance(second, Mixing)]

    def first_context(self, numbers: Tensor, q: Tensor, ops: Ops) -> Tensor:
        """What atoms send in the first block, [..., 3F]; atoms of one element send the same, so it may be computed by element."""
        if numbers.numel() > N_ELEMENTS:
            return functional.embedding(numbers, self.interactions[0](self.embedding.weight, ops))
        return self.interactions[0](q, ops)
