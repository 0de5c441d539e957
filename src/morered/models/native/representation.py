"""The representation of a flat batch with gradients by its weights: what training diffusion models takes.

Shapes: A atoms, F features, K radial functions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from morered.models.native import library, ops
from morered.models.native.graph import Graph
from morered.models.native.library import arrays
from morered.models.native.packing import Packed, trained
from morered.models.painn import PaiNN

#: Atoms that go through the layers together: fewer fit the caches better, more add to the weights' derivatives less often.
_TOGETHER = 192
#: Molecules below which a second thread costs more than it saves.
_MOLECULES = 8


def represent(representation: PaiNN, numbers: Tensor, graph: Graph, charges: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Scalars [A, F] and vectors [A, 3, F] of numbers [A] and charges [A], as `PaiNN.forward` computes them.

    Gradients by positions are not made, nor second derivatives.
    """
    q, x = representation.embedded(numbers, ops, charges)
    return _Represent.apply(q, x, graph, representation, *trained(representation).values())


class _Represent(Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, x: Tensor, graph: Graph, representation: PaiNN, *weights: Tensor) -> tuple[Tensor, Tensor]:
        q, x, native = q.contiguous(), x.contiguous(), Packed(representation).native
        left = q.new_empty(native.left_size(len(q)))
        q_out, mu_out = torch.empty_like(q), q.new_empty(len(q), 3, q.shape[1])

        def work(_: int, start: int, stop: int) -> None:
            native.represent_forward(graph.native, start, stop, _TOGETHER, *arrays(q, x, left, q_out, mu_out))

        library.parallel(work, graph.n_molecules, _MOLECULES)
        ctx.save_for_backward(q, x, left, *weights)  # the weights so that a change of them is noticed
        ctx.graph, ctx.native, ctx.names = graph, native, list(trained(representation))
        return q_out, mu_out

    @staticmethod
    def backward(ctx: Any, *outgoing: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError("the kernels have no second derivatives by parameters alone: use the network uncompiled")
        q, x, left, *weights = ctx.saved_tensors
        graph, native = ctx.graph, ctx.native
        parts = dict(native.gradients)
        sums = q.new_zeros(library.threads(graph.n_molecules, _MOLECULES), sum(parts.values()))
        g_q, g_x = torch.empty_like(q), torch.empty_like(x)
        tensors = (q, x, left, *(gradient.contiguous() for gradient in outgoing), g_q, g_x)

        def work(thread: int, start: int, stop: int) -> None:
            native.represent_backward(graph.native, start, stop, _TOGETHER, *arrays(*tensors, sums[thread]))

        library.parallel(work, graph.n_molecules, _MOLECULES)
        total = sums.sum(0) if len(sums) > 1 else sums[0]
        found = dict(zip(parts, total.split(list(parts.values())), strict=True))
        packed = [part for name, part in found.items() if name.endswith(".filters")]
        filters = [ops.unpack_filters(part, q.shape[1], graph.radial_basis) for part in packed]
        found["filters.weight"], found["filters.bias"] = (torch.cat(part) for part in zip(*filters, strict=True))
        return g_q, g_x, None, None, *(found[name].view_as(w) for name, w in zip(ctx.names, weights, strict=True))
