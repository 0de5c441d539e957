"""The weights of a network by name, as the kernels take them (`weights.h` has their shapes).

Shapes: F features, K radial functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from morered.models.geometry import SOFTENING
from morered.models.heads import TINY, NoiseHead
from morered.models.layers import Linear
from morered.models.native import library, ops
from morered.models.painn import PaiNN


class Packed:
    """A copy of a network's weights in the kernels' order.

    Parameters
    ----------
    representation : PaiNN
        The representation.
    atom_head : sequence of Linear
        Layers of the time or energy head; none to leave it out.
    noise_head : NoiseHead, optional
        The noise head.
    charge : int
        Total charge of the molecules that they are for.

    Attributes
    ----------
    native : binding.Weights
        What the kernels read.
    """

    def __init__(
        self, representation: PaiNN, atom_head: Sequence[Linear] = (), noise_head: NoiseHead | None = None, charge: int = 0
    ) -> None:
        self.has_atom_head, self.has_noise_head = len(atom_head) > 0, noise_head is not None
        basis = representation.radial_basis
        named = trained(representation)
        embedding = representation.of_charge(charge).detach()
        named |= {"embedding": embedding, "offsets": basis.offsets, "widths": basis.widths}
        for k, layer in enumerate(atom_head):
            named |= _layer(f"atom_head.{k}", layer)
        for k, gate in enumerate(noise_head.blocks() if noise_head is not None else ()):
            first, second = gate.scalar_net.layers()
            parts = {"vectors": gate.mix_vectors, "first": first, "second": second}
            for name, layer in parts.items():
                named |= _layer(f"noise_head.{k}.{name}", layer)
        first_block, mixing = representation.blocks()[0]
        if self.has_atom_head or self.has_noise_head:
            with torch.no_grad():
                named["context"] = first_block(embedding, ops)
        self.native: Any = library.binding().Weights(
            library.load(),
            dict(zip(named, library.arrays(*(tensor.contiguous() for tensor in named.values())), strict=True)),
            representation.cutoff,
            SOFTENING,
            mixing.epsilon,
            TINY,
        )


def trained(representation: PaiNN) -> dict[str, Tensor]:
    """What the kernels' way back gives derivatives of: filters, and each block's layers but the first one's context."""
    named = _layer("filters", representation.filter_net)
    for b, (interaction, mixing) in enumerate(representation.blocks()):
        for k, layer in enumerate(interaction.interatomic_context_net.layers() if b else ()):
            named |= _layer(f"blocks.{b}.context.{k}", layer)
        named |= _layer(f"blocks.{b}.vectors", mixing.mu_channel_mix)
        for k, layer in enumerate(mixing.intraatomic_context_net.layers()):
            named |= _layer(f"blocks.{b}.mix.{k}", layer)
    return named


def _layer(name: str, layer: Linear) -> dict[str, Tensor]:
    bias = {} if layer.bias is None else {f"{name}.bias": layer.bias}
    return {f"{name}.weight": layer.weight, **bias}
