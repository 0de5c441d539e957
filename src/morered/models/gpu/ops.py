"""The steps of PaiNN for padded batches on a GPU: `torch_ops`, with kernels that have first gradients.

Shapes: as in `torch_ops`, `...` is [B, N]; A = B N rows, F features, O outgoing features, K radial functions and the cutoff.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from morered.models.geometry import Pairs
from morered.models.gpu import kernels

#: Features and neighbours that a program of the messages takes at once.
_FEATURES, _NEIGHBOURS = 64, 32
#: Warps of such a program; with fewer the gradients' tiles do not fit into the registers.
_WARPS = 8


def silu(x: Tensor) -> Tensor:
    """X sigmoid(x)."""
    return functional.silu(x)


def message(q: Tensor, x: Tensor, mu: Tensor | None, weight: Tensor, bias: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Scalars and vectors after the messages of neighbours, see `torch_ops.message`.

    Where the pairs have a gradient, forces are wanted: then the filters' parameters have none.
    """
    filters = torch.cat([weight, bias[:, None]], dim=1)
    if pairs.radial.requires_grad:
        filters = filters.detach()
    mu = None if mu is None else mu.contiguous()
    return _Message.apply(q.contiguous(), x.contiguous(), mu, filters, pairs.radial.contiguous(), pairs.directions.contiguous())


def mix_in(q: Tensor, vw: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """What the scalars' perceptron sees of the vectors, see `torch_ops.mix_in`."""
    return _MixIn.apply(q.contiguous(), vw.contiguous(), epsilon)


def mix_out(q: Tensor, mu: Tensor, y: Tensor, w: Tensor, dots: Tensor) -> tuple[Tensor, Tensor]:
    """Scalars and vectors changed by the perceptron's y, see `torch_ops.mix_out`; ``w`` as `mix_in` returned it."""
    return _MixOut.apply(q.contiguous(), mu.contiguous(), y.contiguous(), w, dots.contiguous())


class _Message(Function):
    @staticmethod
    def forward(
        ctx: Any, q: Tensor, x: Tensor, mu: Tensor | None, filters: Tensor, radial: Tensor, directions: Tensor
    ) -> tuple[Tensor, Tensor]:
        b, n, features = q.shape
        out_q, out_mu = torch.empty_like(q), q.new_empty(b, n, 3, features)
        if q.numel():
            grid = (b * n, triton.cdiv(features, _FEATURES))
            given = q if mu is None else mu  # a pointer that nothing reads
            kernels.message_forward[grid](
                radial, directions, filters, q, x, given, out_q, out_mu, n, **_settings(filters, mu, n, features)
            )
        ctx.save_for_backward(x, mu, filters, radial, directions)
        return out_q, out_mu

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_q: Tensor, g_mu: Tensor) -> tuple[Tensor | None, ...]:
        x, mu, filters, radial, directions = ctx.saved_tensors
        g_q, g_mu = g_q.contiguous(), g_mu.contiguous()
        b, n, features = g_q.shape
        of_filters, of_pairs = ctx.needs_input_grad[3:5]
        g_x, g_mu_in = torch.empty_like(x), None if mu is None else torch.empty_like(mu)
        g_filters = x.new_empty(b, 3, filters.shape[1], features) if of_filters else None
        g_radial, g_directions = (torch.empty_like(radial), torch.empty_like(directions)) if of_pairs else (None, None)
        if x.numel():
            settings = _settings(filters, mu, n, features)
            given = x if mu is None else mu
            kernels.message_backward[b * n, triton.cdiv(features, _FEATURES)](
                radial, directions, filters, x, given, g_q, g_mu, g_x, g_x if g_mu_in is None else g_mu_in, n,
                **settings,
            )  # fmt: skip
            if of_filters:
                kernels.message_weights[b, triton.cdiv(features, _FEATURES)](
                    radial, directions, x, given, g_q, g_mu, g_filters, n,
                    **settings,
                )  # fmt: skip
            if of_pairs:
                kernels.message_pairs[b * n,](
                    radial, directions, filters, x, given, g_q, g_mu, g_radial, g_directions, n,
                    num_stages=1, **settings,  # loads ahead would take more shared memory than many GPUs have
                )  # fmt: skip
        if g_filters is not None:
            g_filters = g_filters.sum(dim=0).transpose(1, 2).reshape(filters.shape)
        return g_q, g_x, g_mu_in, g_filters, g_radial, g_directions


class _MixIn(Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, vw: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
        features, out = q.shape[-1], vw.shape[-1] // 2
        context = q.new_empty(*q.shape[:-1], features + out)
        dots = q.new_empty(*q.shape[:-1], out)
        if q.numel():
            kernels.mix_in_forward[_atoms(q)](
                q, vw, context, dots, epsilon, F=features, O=out, BF=_power(features), BO=_power(out)
            )
        ctx.save_for_backward(vw, context)
        ctx.features = features
        return context, dots, vw[..., out:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_context: Tensor, g_dots: Tensor, g_w: Tensor) -> tuple[Tensor | None, ...]:
        vw, context = ctx.saved_tensors
        features, out = ctx.features, vw.shape[-1] // 2
        g_q, g_vw = vw.new_empty(*context.shape[:-1], features), torch.empty_like(vw)
        if vw.numel():
            kernels.mix_in_backward[_atoms(context)](
                vw, context, g_context.contiguous(), g_dots.contiguous(), g_w.contiguous(), g_q, g_vw,
                F=features, O=out, BF=_power(features), BO=_power(out),
            )  # fmt: skip
        return g_q, g_vw, None


class _MixOut(Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, mu: Tensor, y: Tensor, w: Tensor, dots: Tensor) -> tuple[Tensor, Tensor]:
        features = q.shape[-1]
        out_q, out_mu = torch.empty_like(q), torch.empty_like(mu)
        vw = _with_v(w)
        if q.numel():
            kernels.mix_out_forward[_atoms(q)](q, mu, y, vw, dots, out_q, out_mu, F=features, BF=_power(features))
        ctx.save_for_backward(y, vw, dots)
        return out_q, out_mu

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_q: Tensor, g_mu: Tensor) -> tuple[Tensor, ...]:
        y, vw, dots = ctx.saved_tensors
        g_q, g_mu = g_q.contiguous(), g_mu.contiguous()
        features = g_q.shape[-1]
        g_y, g_w, g_dots = torch.empty_like(y), torch.empty_like(g_mu), torch.empty_like(dots)
        if g_q.numel():
            kernels.mix_out_backward[_atoms(g_q)](y, vw, dots, g_q, g_mu, g_y, g_w, g_dots, F=features, BF=_power(features))
        return g_q, g_mu, g_y, g_w, g_dots


def _with_v(w: Tensor) -> Tensor:
    """V, W [..., 3, 2F] again, of which ``w`` [..., 3, F] is the second half: nothing is copied."""
    features = w.shape[-1]
    shape = (*w.shape[:-1], 2 * features)
    strides = [1]
    for size in reversed(shape[1:]):
        strides.insert(0, strides[0] * size)
    if w.stride() != tuple(strides) or w.storage_offset() < features:
        return torch.cat([w, w], dim=-1)
    return torch.as_strided(w, shape, strides, w.storage_offset() - features)


def _settings(filters: Tensor, mu: Tensor | None, n: int, features: int) -> dict[str, Any]:
    """Of the messages' kernels. Tiles are powers of two and at least 16, as products of tiles need."""
    radial = filters.shape[1]
    return {
        "F": features,
        "K": radial,
        "BK": max(16, _power(radial)),
        "BJ": min(_NEIGHBOURS, max(16, _power(n))),
        "BF": min(_FEATURES, max(16, _power(features))),
        "HAS_MU": mu is not None,
        # three products of tensor cores: to float32 rounding
        "PRECISION": "tf32x3" if torch.get_float32_matmul_precision() == "highest" else "tf32",
        "num_warps": _WARPS,
    }


def _atoms(rows: Tensor) -> tuple[int]:
    return (rows.numel() // rows.shape[-1],)


def _power(n: int) -> int:
    """The next power of two."""
    return 1 << (n - 1).bit_length()
