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
    filters = functional.linear(pairs.radial, torch.cat([weight, bias[:, None]], dim=1))  # [B, N, N, 3F], cutoff included
    w_q, w_r, w_mu = filters.chunk(3, dim=-1)
    x_q, x_r, x_mu = x[:, None].chunk(3, dim=-1)
    q = q + (w_q * x_q).sum(dim=2)
    along = ((w_r * x_r)[..., None, :] * pairs.directions[..., None]).sum(dim=2)
    if mu is None:
        return q, along
    return q, mu + along + ((w_mu * x_mu)[..., None, :] * mu[:, None]).sum(dim=2)


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
