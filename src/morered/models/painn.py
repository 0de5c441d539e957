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
    charges : int
        Largest total charge, positive or negative, that has an embedding, which every atom of an ion gets beside its element's.
        That of neutral molecules is 0: for them the network is the same with charges and without.
    """

    def __init__(
        self, features: int, interactions: int = 3, radial_basis: int = 20, cutoff: float = 5.0, charges: int = 0
    ) -> None:
        super().__init__()
        self.features = features
        self.charges = charges
        self.cutoff = float(cutoff)
        self.radial_basis = RadialBasis(radial_basis, cutoff)
        self.cutoff_fn = CosineCutoff(cutoff)
        self.embedding = nn.Embedding(N_ELEMENTS, features)
        if charges:
            self.charge_embedding = nn.Embedding(2 * charges, features)  # -charges to -1, then 1 to charges
            nn.init.zeros_(self.charge_embedding.weight)
        self.filter_net = Linear(radial_basis, interactions * 3 * features)
        self.interactions = nn.ModuleList(Interaction(features) for _ in range(interactions))
        self.mixing = nn.ModuleList(Mixing(features) for _ in range(interactions))

    def forward(self, numbers: Tensor, pairs: Pairs, ops: Ops, charges: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Scalars [..., F] and vectors [..., 3, F] from numbers [...] and the pairs that belong to ``ops``.

        ``charges`` [...] are the total charges of the atoms' molecules; None stands for neutral ones. Rows of padding hold no
        meaning, but are finite.
        """
        q, first = self.embedded(numbers, ops, charges)
        mu: Tensor | None = None
        rows = 3 * self.features
        for block, (interaction, mixing) in enumerate(self.blocks()):
            x = interaction(q, ops) if block else first
            part = slice(block * rows, (block + 1) * rows)
            q, mu = mixing(*ops.message(q, x, mu, self.filter_net.weight[part], self.filter_net.bias[part], pairs), ops)
        assert mu is not None
        return q, mu

    def blocks(self) -> list[tuple[Interaction, Mixing]]:
        """In the order of computing."""
        pairs = zip(self.interactions, self.mixing, strict=True)
        return [(first, second) for first, second in pairs if isinstance(first, Interaction) and isinstance(second, Mixing)]

    def embedded(self, numbers: Tensor, ops: Ops, charges: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What atoms begin with, [..., F], and what they send in the first block, [..., 3F]; parameters as for `forward`.

        Atoms of one element in molecules of one charge send the same, so that it may be computed for each row of a table.
        """
        table = self.embedding.weight
        if self.charges and charges is not None:
            known = torch.cat([self.of_charge(charge) for charge in range(-self.charges, self.charges + 1)])
            numbers = numbers + N_ELEMENTS * (charges.clamp(-self.charges, self.charges) + self.charges)
            table = known
        q = functional.embedding(numbers, table)
        if numbers.numel() > len(table):
            return q, functional.embedding(numbers, self.interactions[0](table, ops))
        return q, self.interactions[0](q, ops)

    def of_charge(self, charge: int) -> Tensor:
        """What the elements' atoms begin with in molecules of this total charge, [100, F]; beyond the largest, as with that."""
        charge = max(-self.charges, min(self.charges, charge))
        if charge == 0:
            return self.embedding.weight
        row = charge + self.charges - (charge > 0)
        return self.embedding.weight + self.charge_embedding.weight[row]
