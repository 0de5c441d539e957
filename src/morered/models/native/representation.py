"""The representation of a flat batch with gradients by its weights: what training diffusion models takes.

Shapes: A atoms, F features, K radial functions.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import c_void_p
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from morered.models.native import library, ops
from morered.models.native.graph import Graph
from morered.models.native.packing import Packed
from morered.models.painn import PaiNN

#: Atoms that go through the layers together: fewer fit the caches better, more add to the weights' derivatives less often.
_TOGETHER = 192
#: Molecules below which a second thread costs more than it saves.
_MOLECULES = 8

#: Rows of F features that a block leaves for the way back, for each atom: the members of `Left` in training.h.
_LEFT = {"q": 1, "mu": 3, "x": 3, "hidden_x": 1, "sent": 3, "vw": 6, "context": 2, "dots": 1, "hidden_y": 1, "y": 3}


class _Left(ctypes.Structure):
    _fields_ = [(name, c_void_p) for name in _LEFT]


class _Gradients(ctypes.Structure):
    _fields_ = [
        ("context", c_void_p * 2),
        ("context_bias", c_void_p * 2),
        ("vectors", c_void_p),
        ("mix", c_void_p * 2),
        ("mix_bias", c_void_p * 2),
        ("filters", c_void_p),
    ]


def represent(representation: PaiNN, numbers: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """Scalars [A, F] and vectors [A, 3, F] of numbers [A], as `PaiNN.forward` computes them.

    Gradients by positions are not made, nor second derivatives.
    """
    q = functional.embedding(numbers, representation.embedding.weight)
    x = representation.first_context(numbers, q, ops)
    return _Represent.apply(q, x, graph, representation, *_weights(representation))


def _weights(representation: PaiNN) -> list[Tensor]:
    """The filters' weight and bias, then each block's in the order of `_Gradients`; the first one's context is not among them."""
    weights: list[Tensor] = [representation.filter_net.weight, representation.filter_net.bias]
    for b, (interaction, mixing) in enumerate(representation.blocks()):
        context = interaction.interatomic_context_net.layers() if b else []
        mix = mixing.intraatomic_context_net.layers()
        weights += [layer.weight for layer in context] + [layer.bias for layer in context]
        weights += [mixing.mu_channel_mix.weight, *(layer.weight for layer in mix), *(layer.bias for layer in mix)]
    return weights


class _Represent(Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, x: Tensor, graph: Graph, representation: PaiNN, *weights: Tensor) -> tuple[Tensor, Tensor]:
        packed = Packed(representation)
        n_atoms, features = q.shape
        tensors = _room(q.contiguous(), x.contiguous(), len(representation.mixing))
        left = _left(tensors)
        q_out, mu_out = torch.empty_like(q), q.new_empty(n_atoms, 3, features)
        kernel, at_once = library.load().represent_forward, _TOGETHER

        def work(_: int, start: int, stop: int) -> None:
            kernel(
                packed.pointer, graph.pointer, start, stop, at_once, ctypes.addressof(left), q_out.data_ptr(), mu_out.data_ptr()
            )

        library.parallel(work, graph.n_molecules, _MOLECULES)
        ctx.save_for_backward(*weights, *tensors)  # the weights so that a change of them is noticed
        ctx.graph, ctx.packed, ctx.n_weights = graph, packed, len(weights)
        return q_out, mu_out

    @staticmethod
    def backward(ctx: Any, *outgoing: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError("the kernels have no second derivatives by parameters alone: use the network uncompiled")
        weights, tensors = ctx.saved_tensors[: ctx.n_weights], ctx.saved_tensors[ctx.n_weights :]
        left, graph = _left(tensors), ctx.graph
        g_q_out, g_mu_out = (gradient.contiguous() for gradient in outgoing)
        n_atoms, features = g_q_out.shape
        g_q, g_x = torch.empty_like(g_q_out), g_q_out.new_empty(n_atoms, 3 * features)
        n_filters = 3 * features * (graph.radial_basis + 1)
        blocks = len(left)
        sizes = [n_filters] * blocks + [weight.numel() for weight in weights[2:]]
        flat = g_q.new_zeros(library.threads(graph.n_molecules, _MOLECULES), sum(sizes))
        kernel, at_once = library.load().represent_backward, _TOGETHER

        def work(thread: int, start: int, stop: int) -> None:
            gradients = _gradients(flat[thread].split(sizes), blocks)
            kernel(
                ctx.packed.pointer,
                graph.pointer,
                start,
                stop,
                at_once,
                ctypes.addressof(left),
                *(tensor.data_ptr() for tensor in (g_q_out, g_mu_out, g_q, g_x)),
                ctypes.addressof(gradients),
            )

        library.parallel(work, graph.n_molecules, _MOLECULES)
        parts = (flat.sum(0) if len(flat) > 1 else flat[0]).split(sizes)
        filters = [ops.unpack_filters(part, features, graph.radial_basis) for part in parts[:blocks]]
        g_weights = [part.view_as(weight) for part, weight in zip(parts[blocks:], weights[2:], strict=True)]
        return g_q, g_x, None, None, *(torch.cat(part) for part in zip(*filters, strict=True)), *g_weights


def _names(block: int) -> list[str]:
    """What a block leaves; the first one has no vectors that come in, and its context comes from outside."""
    return [name for name in _LEFT if block or name not in ("mu", "hidden_x")]


def _room(q: Tensor, x: Tensor, blocks: int) -> list[Tensor]:
    """Arrays for what blocks leave, in their order; the first one's q and x are there already."""
    given = {(0, "q"): q, (0, "x"): x}
    return [given.get((b, name), q.new_empty(_LEFT[name] * q.numel())) for b in range(blocks) for name in _names(b)]


def _left(tensors: Sequence[Tensor]) -> Any:
    """The struct that points to the arrays of `_room`."""
    blocks = (len(tensors) + len(_LEFT) - len(_names(0))) // len(_LEFT)
    left, pointers = (_Left * blocks)(), iter(tensors)
    for b in range(blocks):
        for name in _names(b):
            setattr(left[b], name, next(pointers).data_ptr())
    return left


def _gradients(parts: tuple[Tensor, ...], blocks: int) -> Any:
    """Where a thread adds its derivatives."""
    gradients = (_Gradients * blocks)()
    pointers = iter([part.data_ptr() for part in parts[blocks:]])
    for b in range(blocks):
        gradients[b].filters = parts[b].data_ptr()
        for name in ("context", "context_bias") if b else ():
            setattr(gradients[b], name, (c_void_p * 2)(next(pointers), next(pointers)))
        gradients[b].vectors = next(pointers)
        for name in ("mix", "mix_bias"):
            setattr(gradients[b], name, (c_void_p * 2)(next(pointers), next(pointers)))
    return gradients
