"""How a molecule of any method ends for the worse: it has exploded, or a coordinate is no number; and codes as tensors.

A structure has exploded when an atom is further from the centre than thrice the size of the input and 10 Å.

Shapes: B batch, N atoms (padded in a batch). Positions are centred where a size is meant.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from morered.relaxation.codes import Code

_TIMES, _BEYOND = 3.0, 10.0


@cache
def constant(code: Code, device: torch.device) -> Tensor:
    """A code as int8 tensor without dimensions, made once: what masks choose between."""
    return torch.tensor(int(code), dtype=torch.int8, device=device)


def squared_radii(positions: Tensor) -> Tensor:
    """Largest squared distance from the origin, [B] in Å², of positions [B, N, 3] (0 on padding); NaN where a coordinate is."""
    return positions.square().sum(dim=-1).amax(dim=-1)


def squared_limits(positions: Tensor) -> Tensor:
    """Squared radius [B] in Å² that no relaxation of positions [B, N, 3] should reach."""
    return (_TIMES * squared_radii(positions).sqrt() + _BEYOND).square()


def codes_of(radii: Tensor) -> Tensor:
    """How structures ended whose squared radii [B] are not within their limits: codes [B] int8."""
    return torch.where(radii.isfinite(), constant(Code.EXPLODED, radii.device), constant(Code.NOT_FINITE, radii.device))


def code_of(start: NDArray[np.floating], end: NDArray[np.floating]) -> Code | None:
    """How one molecule ended that was relaxed from ``start`` [N, 3], centred, to ``end`` [N, 3]; None where it held together."""
    size = float(np.linalg.norm(start, axis=1).max(initial=0.0))
    away = float(np.linalg.norm(end - end.mean(axis=0), axis=1).max(initial=0.0)) if len(end) else 0.0
    if away <= _TIMES * size + _BEYOND:
        return None
    return Code.EXPLODED if np.isfinite(away) else Code.NOT_FINITE
