"""Weights of a network as the kernels read them: the structs of `network.h`.

Shapes: F features, K radial functions.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import c_float, c_int64, c_void_p
from typing import Any

import torch
from torch import Tensor

from morered.models.geometry import SOFTENING
from morered.models.heads import TINY, NoiseHead
from morered.models.layers import Linear
from morered.models.native import library, ops
from morered.models.painn import Interaction, Mixing, PaiNN


class _Dense(ctypes.Structure):
    _fields_ = [("forward", c_void_p), ("backward", c_void_p), ("bias", c_void_p), ("n_in", c_int64), ("n_out", c_int64)]


class _Block(ctypes.Structure):
    _fields_ = [("context", _Dense * 2), ("vectors", _Dense), ("mix", _Dense * 2), ("filters", c_void_p)]


class _Gate(ctypes.Structure):
    _fields_ = [("vectors", _Dense), ("first", _Dense), ("second", _Dense), ("time", c_void_p)]


class _Network(ctypes.Structure):
    _fields_ = [
        *((name, c_void_p) for name in ("embedding", "context", "offsets", "widths", "blocks", "atom_head", "noise_head")),
        *((name, c_int64) for name in ("F", "K", "n_blocks", "n_atom_layers", "n_gates")),
        *((name, c_float) for name in ("cutoff", "softening", "epsilon", "tiny")),
    ]


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
    """

    def __init__(self, representation: PaiNN, atom_head: Sequence[Linear] = (), noise_head: NoiseHead | None = None) -> None:
        self.features = representation.features
        self.has_atom_head, self.has_noise_head = len(atom_head) > 0, noise_head is not None
        self._kept: list[Any] = []
        with torch.no_grad():
            self._network = self._pack(representation, atom_head, noise_head)

    @property
    def pointer(self) -> int:
        """Address of the kernels' struct; valid as long as this object."""
        return ctypes.addressof(self._network)

    def _pack(self, representation: PaiNN, atom_head: Sequence[Linear], noise_head: NoiseHead | None) -> _Network:
        parts = representation.blocks()
        blocks = (_Block * len(parts))(*(self._block(representation, b, *part) for b, part in enumerate(parts)))
        gated = noise_head.blocks() if noise_head is not None else []
        gates = (_Gate * len(gated))()
        for gate, module in zip(gates, gated, strict=True):
            first, second = module.scalar_net.layers()
            gate.vectors, gate.second = self._dense(module.mix_vectors, False), self._dense(second, False)
            weight = first.weight
            if module.with_time:
                n_in = module.features_in
                scalars, time, lengths = weight.split([n_in, 1, weight.shape[1] - n_in - 1], dim=1)
                gate.time = self._keep(time.flatten())
                weight = torch.cat([scalars, lengths], dim=1)
            gate.first = self._matrix(weight, first.bias, False)
        head = (_Dense * len(atom_head))(*(self._dense(layer, True) for layer in atom_head))
        self._kept += [blocks, gates, head]
        embedding, basis = representation.embedding.weight, representation.radial_basis
        context = parts[0][0](embedding, ops) if atom_head or gated else None  # not needed to train
        return _Network(
            self._keep(embedding),
            None if context is None else self._keep(context),
            self._keep(basis.offsets),
            self._keep(basis.widths),
            ctypes.addressof(blocks),
            ctypes.addressof(head),
            ctypes.addressof(gates),
            self.features,
            len(basis.offsets),
            len(blocks),
            len(head),
            len(gates),
            representation.cutoff,
            SOFTENING,
            parts[0][1].epsilon,
            TINY,
        )

    def _block(self, representation: PaiNN, b: int, interaction: Interaction, mixing: Mixing) -> _Block:
        filters = representation.filter_net
        rows = slice(b * 3 * self.features, (b + 1) * 3 * self.features)
        return _Block(
            self._pair(interaction.interatomic_context_net.layers()),
            self._dense(mixing.mu_channel_mix, True),
            self._pair(mixing.intraatomic_context_net.layers()),
            self._keep(ops.pack_filters(filters.weight[rows], filters.bias[rows])),
        )

    def _pair(self, layers: Sequence[Linear]) -> Any:
        return (_Dense * 2)(*(self._dense(layer, True) for layer in layers))

    def _dense(self, layer: Linear, back: bool) -> _Dense:
        return self._matrix(layer.weight, layer.bias, back)

    def _matrix(self, weight: Tensor, bias: Tensor | None, back: bool) -> _Dense:
        n_out, n_in = weight.shape
        forward = self._panels(weight, n_in, n_out, 1, n_in)
        backward = self._panels(weight, n_out, n_in, n_in, 1) if back else None
        return _Dense(forward, backward, None if bias is None else self._keep(bias), n_in, n_out)

    def _panels(self, weight: Tensor, n_rows: int, n_columns: int, by_row: int, by_column: int) -> int:
        weight = weight.contiguous()
        packed = weight.new_empty(n_rows * (-(-n_columns // 16) * 16))
        library.load().pack_product(weight.data_ptr(), n_rows, n_columns, by_row, by_column, packed.data_ptr())
        return self._keep(packed)

    def _keep(self, tensor: Tensor) -> int:
        """Address of a tensor that lives as long as this object."""
        tensor = tensor.detach().contiguous()
        self._kept.append(tensor)
        return tensor.data_ptr()
