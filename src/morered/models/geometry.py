"""Pairs of atoms in a padded molecule: directions, and radial features with the cutoff folded in.

Shapes: B batch, N padded atoms, K radial basis.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

#: Å. Distances are sqrt(r² + SOFTENING²): smooth, with finite derivatives of every order, also for coinciding atoms and for
#: the masked pairs of an atom with itself; at 0.5 Å the same as r to 1e-8 Å, less than float32 resolves.
SOFTENING = 1e-4


class Pairs(NamedTuple):
    """Geometry of all pairs (i, j).

    Attributes
    ----------
    directions : Tensor
        [B, N, N, 3], from atom i to atom j, length 1 (0 for i = j).
    radial : Tensor
        [B, N, N, K + 1]: K Gaussians times the cutoff, then the cutoff itself, which carries a filter's bias. 0 where i = j, on
        padding and beyond the cutoff.
    """

    directions: Tensor
    radial: Tensor


def pair_geometry(positions: Tensor, mask: Tensor, offsets: Tensor, widths: Tensor, cutoff: float) -> Pairs:
    """Directions and radial features of all pairs.

    Parameters
    ----------
    positions : Tensor
        [B, N, 3] in Å; what stands on padding does not matter.
    mask : Tensor
        [B, N] bool.
    offsets, widths : Tensor
        [K] centres and widths of the Gaussians, Å.
    cutoff : float
        Å; pairs beyond contribute nothing, however far they are.

    Returns
    -------
    Pairs
        Without a NaN or infinity, gradients included, wherever the positions are finite.
    """
    positions = positions.masked_fill(~mask[..., None], 0.0)
    vectors = positions[:, None, :, :] - positions[:, :, None, :]
    distances = (vectors.square().sum(dim=-1) + SOFTENING**2).sqrt()
    directions = vectors / distances[..., None]
    near = distances.clamp(max=cutoff)  # beyond it the features are 0, and nothing overflows
    coupled = mask[:, :, None] & mask[:, None, :] & ~torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
    switch = 0.5 * (torch.cos(near * (math.pi / cutoff)) + 1.0) * coupled
    gaussians = torch.exp(-0.5 * ((near[..., None] - offsets) / widths).square())
    radial = torch.cat([gaussians * switch[..., None], switch[..., None]], dim=-1)
    return Pairs(directions, radial)
