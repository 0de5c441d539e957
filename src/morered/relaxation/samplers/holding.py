"""Superposes a proposed structure on the frozen atoms of a molecule.

A predicted clean structure, and a reverse step, are right up to a rigid motion. So a proposal is superposed on the current
structure by its frozen atoms. The others count so little that they only settle what these leave open. Then the frozen atoms are
put where they were. A proposal that is the structure itself, up to that motion, moves nothing. With equal weights the free atoms,
which are many, would turn towards the frozen ones in hundreds of steps.

Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

import torch
from torch import Tensor

from morered.batching import Batch

#: How much a frozen atom counts beside a free one.
WEIGHT = 100.0


def held(proposed: Tensor, batch: Batch) -> Tensor:
    """Proposed positions [B, N, 3] of a batch, laid on its frozen atoms, which keep their own; unchanged where it has none."""
    if batch.frozen is None:
        return proposed
    x, frozen = batch.positions, batch.frozen
    weights = torch.where(frozen, WEIGHT, 1.0).to(x) * batch.mask
    weights = (weights / weights.sum(dim=1, keepdim=True).clamp(min=1.0))[..., None]
    here, there = ((weights * points).sum(dim=1, keepdim=True) for points in (x, proposed))
    covariance = torch.nan_to_num((weights * (proposed - there)).transpose(1, 2) @ (x - here), nan=0.0, posinf=0.0, neginf=0.0)
    u, _, vt = torch.linalg.svd(covariance)
    # The smallest singular direction is turned where the best orthogonal matrix would be a reflection.
    sign = torch.where(torch.linalg.det(u @ vt) < 0, -1.0, 1.0).to(x)
    rotation = torch.cat([u[..., :2], u[..., 2:] * sign[:, None, None]], dim=2) @ vt
    laid = torch.where(batch.mask[..., None], (proposed - there) @ rotation + here, 0.0)
    laid = torch.where(frozen.any(dim=1)[:, None, None], laid, proposed)
    return torch.where(frozen[..., None], x, laid)
