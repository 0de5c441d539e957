"""The steps of PaiNN and its heads on flat batches: the functions of `torch_ops`, with kernels behind them.

Each has its gradient, and the gradient of that as far as a loss of forces needs it. Everything is float32 on a CPU, F a multiple
of 16. Shapes: A atoms, F features, O outgoing features, K radial functions.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from morered.models.native import library
from morered.models.native.graph import Graph
from morered.models.native.library import arrays

#: Below these, a second thread costs more than it saves.
_MOLECULES, _ATOMS, _NUMBERS = 8, 256, 65536


class _Wanted(threading.local):
    positions_only = False


_wanted = _Wanted()


@contextmanager
def positions_only() -> Iterator[None]:
    """Inside, gradients through messages are those by the positions (forces), outside those by the parameters.

    PyTorch does not tell a function which of its gradients are wanted, and each costs as much as the forward pass. Gradients made
    inside with ``create_graph`` can be differentiated once more, by parameters, not by positions.
    """
    before, _wanted.positions_only = _wanted.positions_only, True
    try:
        yield
    finally:
        _wanted.positions_only = before


def silu(x: Tensor) -> Tensor:
    """X sigmoid(x)."""
    return _SiLU.apply(x.contiguous())


def message(q: Tensor, x: Tensor, mu: Tensor | None, weight: Tensor, bias: Tensor, pairs: Graph) -> tuple[Tensor, Tensor]:
    """Scalars and vectors after the messages of neighbours, see `torch_ops.message`."""
    mu = None if mu is None else mu.contiguous()
    return _Message.apply(q.contiguous(), x.contiguous(), mu, weight, bias, pairs.positions, pairs)


def mix_in(q: Tensor, vw: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """What the scalars' perceptron sees of the vectors, see `torch_ops.mix_in`."""
    return _MixIn.apply(q.contiguous(), vw.contiguous(), epsilon)


def mix_out(q: Tensor, mu: Tensor, y: Tensor, w: Tensor, dots: Tensor) -> tuple[Tensor, Tensor]:
    """Scalars and vectors changed by the perceptron's y, see `torch_ops.mix_out`; ``w`` as `mix_in` returned it."""
    return _MixOut.apply(q.contiguous(), mu.contiguous(), y.contiguous(), w, dots.contiguous())


class _Message(Function):
    @staticmethod
    def forward(
        ctx: Any, q: Tensor, x: Tensor, mu: Tensor | None, weight: Tensor, bias: Tensor, positions: Tensor, graph: Graph
    ) -> tuple[Tensor, Tensor]:
        packed = pack_filters(weight, bias)
        q_out, mu_out = torch.empty_like(q), q.new_empty(len(q), 3, q.shape[1])
        _by_molecule("message_forward", graph, packed, q, x, mu, q_out, mu_out)
        ctx.save_for_backward(x, mu, weight, bias, packed)
        ctx.graph = graph
        return q_out, mu_out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, mu, weight, bias, packed = ctx.saved_tensors
        g_q, g_mu = (gradient.contiguous() for gradient in gradients)
        if _wanted.positions_only:
            g_x, g_mu_in, g_positions = _MessageGradient.apply(x, mu, weight, bias, g_q, g_mu, packed, ctx.graph)
            return g_q, g_x, g_mu_in, None, None, g_positions, None
        if torch.is_grad_enabled():
            raise RuntimeError("the kernels have no second derivatives by parameters alone: use the network uncompiled")
        g_x, g_mu_in, buffers = torch.empty_like(x), _like(mu), _buffers(packed)
        _by_molecule("message_backward", ctx.graph, packed, x, mu, g_q, g_mu, g_x, g_mu_in, None, buffers=buffers)
        return g_q, g_x, g_mu_in, *_unpack(buffers, weight), None, None


class _MessageGradient(Function):
    """Gradients of the messages by context, vectors and positions."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        mu: Tensor | None,
        weight: Tensor,
        bias: Tensor,
        g_q: Tensor,
        g_mu: Tensor,
        packed: Tensor,
        graph: Graph,
    ) -> tuple[Tensor | None, ...]:
        g_x, g_mu_in, g_positions = torch.empty_like(x), _like(mu), x.new_empty(len(x), 3)
        _by_molecule("message_backward", graph, packed, x, mu, g_q, g_mu, g_x, g_mu_in, g_positions, None)
        ctx.save_for_backward(x, mu, weight, g_q, g_mu, packed)
        ctx.graph = graph
        return g_x, g_mu_in, g_positions

    @staticmethod
    def backward(ctx: Any, *h: Tensor | None) -> tuple[Tensor | None, ...]:
        x, mu, weight, g_q, g_mu, packed = ctx.saved_tensors
        h_x, h_mu, h_positions = (None if gradient is None else gradient.contiguous() for gradient in h)
        o_g_q, o_g_mu, o_x = torch.empty_like(g_q), torch.empty_like(g_mu), torch.empty_like(x)
        o_mu, buffers = _like(mu), _buffers(packed)
        inputs = (packed, x, mu, g_q, g_mu, h_x, h_mu, h_positions)
        _by_molecule("message_backward_twice", ctx.graph, *inputs, o_g_q, o_g_mu, o_x, o_mu, buffers=buffers)
        return o_x, o_mu, *_unpack(buffers, weight), o_g_q, o_g_mu, None, None


class _MixIn(Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, vw: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
        n_in, n_out = q.shape[1], vw.shape[2] // 2
        context, dots = q.new_empty(len(q), n_in + n_out), q.new_empty(len(q), n_out)
        _by_atom("mix_in", len(q), q, vw, context, dots, settings=(epsilon,))
        ctx.save_for_backward(vw, context)
        return context, dots, vw[..., n_out:]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return *_MixInGradient.apply(*ctx.saved_tensors, *(gradient.contiguous() for gradient in gradients)), None


class _MixInGradient(Function):
    @staticmethod
    def forward(ctx: Any, vw: Tensor, context: Tensor, g_context: Tensor, g_dots: Tensor, g_w: Tensor) -> tuple[Tensor, Tensor]:
        n_out = g_w.shape[2]
        n_in = context.shape[1] - n_out
        g_q, g_vw = vw.new_empty(len(vw), n_in), torch.empty_like(vw)
        _by_atom("mix_in_backward", len(vw), vw, context, g_context, g_dots, g_w, g_q, g_vw)
        ctx.save_for_backward(vw, context, g_context, g_dots)
        return g_q, g_vw

    @staticmethod
    def backward(ctx: Any, *h: Tensor) -> tuple[Tensor | None, ...]:
        vw, context, g_context, g_dots = ctx.saved_tensors
        h_q, h_vw = (gradient.contiguous() for gradient in h)
        n_out = g_dots.shape[1]
        o_vw, o_g_context, o_g_dots = torch.empty_like(vw), torch.empty_like(g_context), torch.empty_like(g_dots)
        o_g_w = vw.new_empty(len(vw), 3, n_out)
        inputs = (vw, context, g_context, g_dots, h_q, h_vw)
        _by_atom("mix_in_backward_twice", len(vw), *inputs, o_vw, o_g_context, o_g_dots, o_g_w)
        return o_vw, None, o_g_context, o_g_dots, o_g_w  # the lengths in the context are counted under vw


class _MixOut(Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, mu: Tensor, y: Tensor, w: Tensor, dots: Tensor) -> tuple[Tensor, Tensor]:
        q_out, mu_out = torch.empty_like(q), torch.empty_like(mu)
        _by_atom("mix_out", len(q), q, mu, y, w, dots, q_out, mu_out)
        ctx.save_for_backward(y, w, dots)
        return q_out, mu_out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        g_q, g_mu = (gradient.contiguous() for gradient in gradients)
        return g_q, g_mu, *_MixOutGradient.apply(*ctx.saved_tensors, g_q, g_mu)


class _MixOutGradient(Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor, w: Tensor, dots: Tensor, g_q: Tensor, g_mu: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        g_y, g_w, g_dots = torch.empty_like(y), torch.empty_like(g_mu), torch.empty_like(dots)
        _by_atom("mix_out_backward", len(y), y, w, dots, g_q, g_mu, g_y, g_dots, g_w)
        ctx.save_for_backward(y, w, dots, g_q, g_mu)
        return g_y, g_w, g_dots

    @staticmethod
    def backward(ctx: Any, *h: Tensor) -> tuple[Tensor, ...]:
        y, w, dots, g_q, g_mu = ctx.saved_tensors
        h_y, h_w, h_dots = (gradient.contiguous() for gradient in h)
        o_y, o_w, o_dots, o_g_q, o_g_mu = (torch.empty_like(tensor) for tensor in (y, g_mu, dots, g_q, g_mu))
        inputs = (y, w, dots, g_q, g_mu, h_y, h_dots, h_w)
        _by_atom("mix_out_backward_twice", len(y), *inputs, o_y, o_w, o_dots, o_g_q, o_g_mu)
        return o_y, o_w, o_dots, o_g_q, o_g_mu


class _SiLU(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = torch.empty_like(x)
        _by_number("silu", x, y)
        ctx.save_for_backward(x)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _SiLUGradient.apply(*ctx.saved_tensors, gradients[0].contiguous())


class _SiLUGradient(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, g_y: Tensor) -> Tensor:
        g_x = torch.empty_like(x)
        _by_number("silu_backward", x, g_y, g_x)
        ctx.save_for_backward(x, g_y)
        return g_x

    @staticmethod
    def backward(ctx: Any, *h: Tensor) -> tuple[Tensor, Tensor]:
        x, g_y = ctx.saved_tensors
        o_x, o_g_y = torch.empty_like(x), torch.empty_like(x)
        _by_number("silu_backward_twice", x, g_y, h[0].contiguous(), o_x, o_g_y)
        return o_x, o_g_y


def _like(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else torch.empty_like(tensor)


def pack_filters(weight: Tensor, bias: Tensor) -> Tensor:
    """Filter weights [3F, K] and biases [3F] in the order in which kernels read them, 3F (K + 1) numbers."""
    packed = weight.new_empty(weight.numel() + bias.numel())
    library.load().pack_filters(*arrays(weight.contiguous(), bias.contiguous(), packed))
    return packed


def _buffers(packed: Tensor) -> Tensor:
    """Zeros like the packed weights, one for each thread that may add to them."""
    return packed.new_zeros(torch.get_num_threads(), *packed.shape)


def unpack_filters(packed: Tensor, features: int, radial_basis: int) -> tuple[Tensor, Tensor]:
    """The way back of `pack_filters`: weights [3F, K] and biases [3F]."""
    weight, bias = packed.new_empty(3 * features, radial_basis), packed.new_empty(3 * features)
    library.load().unpack_filters(*arrays(packed, weight, bias))
    return weight, bias


def _unpack(buffers: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of the threads' packed gradients as gradients of weight [3F, K] and bias [3F]."""
    total = buffers.sum(0) if len(buffers) > 1 else buffers[0]
    return unpack_filters(total, weight.shape[0] // 3, weight.shape[1])


def _by_molecule(name: str, graph: Graph, *tensors: Tensor | None, buffers: Tensor | None = None) -> None:
    """Run a kernel over molecules; with ``buffers``, its last argument is the thread's own."""
    kernel = getattr(graph.native, name)

    def work(thread: int, start: int, stop: int) -> None:
        own = () if buffers is None else (buffers[thread],)
        kernel(start, stop, *arrays(*tensors, *own))

    library.parallel(work, graph.n_molecules, _MOLECULES)


def _by_atom(name: str, n_atoms: int, *tensors: Tensor, settings: tuple[float, ...] = ()) -> None:
    kernel = getattr(library.load(), name)
    library.parallel(lambda _, start, stop: kernel(start, stop, *settings, *arrays(*tensors)), n_atoms, _ATOMS)


def _by_number(name: str, *tensors: Tensor) -> None:
    kernel = getattr(library.load(), name)
    library.parallel(lambda _, start, stop: kernel(start, stop, *arrays(*tensors)), tensors[0].numel(), _NUMBERS)
