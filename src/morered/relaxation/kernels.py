"""Steps of the batched optimisers on a CPU, where a call of PyTorch costs more than their arithmetic.

Everything is float64 and contiguous. Shapes: B batch, N padded atoms, D = 3N coordinates, H pairs of differences.
"""

from __future__ import annotations

import torch
from torch import Tensor

from morered.models.native import library
from morered.models.native.library import arrays

#: Molecules below which a second thread costs more than it saves.
_MOLECULES = 64


def lbfgs_direction(s: Tensor, y: Tensor, rho: Tensor, f: Tensor, oldest: int, count: int, h: float) -> Tensor:
    """L-BFGS's directions H f [B, D], f being minus the gradient [B, D].

    Parameters
    ----------
    s, y, rho : Tensor
        Pairs of differences [B, H, D] and 1 / s.y [B, H], 0 for a pair of zeros.
    f : Tensor
        [B, D].
    oldest, count : int
        Place of the oldest pair, and how many there are from there on, round again at the end.
    h : float
        The first inverse Hessian.
    """
    direction = torch.empty_like(f)
    tensors, kernel = (s, y, rho, f, direction), library.load().lbfgs_direction
    library.parallel(lambda _, start, stop: kernel(start, stop, oldest, count, h, *arrays(*tensors)), len(f), _MOLECULES)
    return direction


def mix(
    positions: Tensor,
    target: Tensor,
    taken: Tensor,
    history: tuple[Tensor, Tensor, Tensor, Tensor],
    place: int,
    *,
    warmup: int,
    regularisation: float,
    longest: float,
) -> Tensor:
    """Where Anderson mixing goes [B, N, 3]; see `morered.relaxation.samplers.mixing.step` for all of it.

    ``history`` is dg, df [B, H, D], g, f [B, D], changed in place.
    """
    positions, target = positions.contiguous(), target.contiguous()
    moved = torch.empty_like(positions)
    tensors, settings = (positions, target, taken, *history, moved), (place, warmup, regularisation, longest)
    kernel = library.load().mix
    library.parallel(lambda _, start, stop: kernel(start, stop, *settings, *arrays(*tensors)), len(positions), _MOLECULES)
    return moved
