"""The steps of PaiNN and its heads in plain PyTorch, for padded batches on any device; `torch.compile` fuses them.

`native.ops` has the same functions for flat batches on CPUs. Shapes: `...` is [B, N] here and [A] there; F features, O outgoing
features, K radial functions.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from morered.models.geometry import Pairs

#: Filters that are made at once where no gradient is wanted: 4 MB in float32, what a core's cache holds.
_NUMBERS_TOGETHER = 1 << 20


class Ops(Protocol):
    """What the modules of a network call, so that one description of it serves both implementations."""

    def silu(self, x: Tensor, /) -> Tensor:
        """X sigmoid(x)."""

    def message(
        self, q: Tensor, x: Tensor, mu: Tensor | None, weight: Tensor, bias: Tensor, pairs: Any, /
    ) -> tuple[Tensor, Tensor]:
        """Add the messages of neighbours, see `message`."""
        ...

    def mix_in(self, q: Tensor, vw: Tensor, epsilon: float, /) -> tuple[Tensor, Tensor, Tensor]:
        """Context from scalars and vectors, see `mix_in`."""
        ...

    def mix_out(self, q: Tensor, mu: Tensor, y: Tensor, w: Tensor, dots: Tensor, /) -> tuple[Tensor, Tensor]:
        """Change scalars and vectors by the context, see `mix_out`."""
        ...


def silu(x: Tensor) -> Tensor:
    """X sigmoid(x)."""
    return functional.silu(x)


def message(q: Tensor, x: Tensor, mu: Tensor | None, weight: Tensor, bias: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Scalars and vectors after the messages of neighbours (PaiNN, Eqs. 7 and 8).

    Parameters
    ----------
    q, x, mu : Tensor
        Scalars [..., F], context [..., 3F], vectors [..., 3, F] or None where all are still zero.
    weight, bias : Tensor
        [3F, K] and [3F] of this block's filters.
    pairs : Pairs
        Their geometry.

    Returns
    -------
    (Tensor, Tensor)
        [..., F] and [..., 3, F].
    """
    weight = torch.cat([weight, bias[:, None]], dim=1)
    n_rows = _rows_together(pairs.radial.shape, len(weight))
    if n_rows is None:
        to_q, to_mu = _received(x, mu, weight, pairs)
    else:
        rows = zip(pairs.directions.split(n_rows, dim=1), pairs.radial.split(n_rows, dim=1), strict=True)
        parts = [_received(x, mu, weight, Pairs(*row)) for row in rows]
        to_q, to_mu = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
    return q + to_q, to_mu if mu is None else mu + to_mu


def _rows_together(shape: torch.Size, n_filters: int) -> int | None:
    """How many receiving atoms of each molecule are computed at once, None for all.

    Without gradients, filters of a part are used and forgotten: they stay in the cache, and the allocator does not hand large
    tensors to the system and fault them in again, which takes three times as long as the arithmetic on them.
    """
    batch, n_atoms = shape[:2]
    if torch.is_grad_enabled() or torch.compiler.is_compiling() or batch * n_atoms == 0:
        return None
    rows = max(1, _NUMBERS_TOGETHER // (batch * n_atoms * n_filters))
    return None if rows >= n_atoms else rows


def _received(x: Tensor, mu: Tensor | None, weight: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """What R receiving atoms, of which there are pairs [B, R, N], get from all others: [B, R, F] and [B, R, 3, F]."""
    w_q, w_r, w_mu = functional.linear(pairs.radial, weight).chunk(3, dim=-1)  # [B, R, N, F], cutoff included
    x_q, x_r, x_mu = x[:, None].chunk(3, dim=-1)
    to_q = (w_q * x_q).sum(dim=2)
    to_mu = pairs.directions.transpose(-1, -2).to(to_q.dtype) @ (w_r * x_r)  # sums over N, no tensor [B, R, N, 3, F]
    if mu is not None:
        carried = w_mu * x_mu
        to_mu = to_mu + torch.stack([(carried * one[:, None]).sum(dim=2) for one in mu.unbind(dim=2)], dim=2)
    return to_q, to_mu


def mix_in(q: Tensor, vw: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """What the scalars' perceptron sees of the vectors (PaiNN, Eqs. 9 and 10).

    Parameters
    ----------
    q, vw : Tensor
        Scalars [..., F] and two sets of mixed vectors V and W side by side [..., 3, 2O].
    epsilon : float
        Added to the squared lengths.

    Returns
    -------
    (Tensor, Tensor, Tensor)
        q and |V| [..., F + O], V . W [..., O], and W [..., 3, O].
    """
    v, w = vw.chunk(2, dim=-1)
    lengths = (v.square().sum(dim=-2) + epsilon).sqrt()
    return torch.cat([q, lengths], dim=-1), (v * w).sum(dim=-2), w


def mix_out(q: Tensor, mu: Tensor, y: Tensor, w: Tensor, dots: Tensor) -> tuple[Tensor, Tensor]:
    """Scalars [..., F] and vectors [..., 3, F] changed by the perceptron's y [..., 3F]; w and dots are from `mix_in`."""
    y_q, y_mu, y_dots = y.chunk(3, dim=-1)
    return q + y_q + y_dots * dots, mu + y_mu[..., None, :] * w
