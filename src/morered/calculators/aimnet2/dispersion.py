"""D3 dispersion with Becke-Johnson damping, two-body terms (Grimme et al., J. Chem. Phys. 132, 154104, 2010; J. Comput. Chem. 32,
1456, 2011), with the parameters for wB97M (Najibi, Goerigk, J. Chem. Theory Comput. 14, 5725, 2018).

Shapes: B batch, N padded atoms, R = 5 reference systems of an element. Units: Å in, eV out; bohr and hartree inside.
"""

from __future__ import annotations

import torch
from torch import Tensor

A1, A2, S6, S8 = 0.566, 3.128, 1.0, 0.3908
K1, K3 = -16.0, -4.0
BOHR = 1.8897261258369282  # 1/Å
HALF_HARTREE = 13.605693012183622  # eV: each pair is counted twice


def energies(weights: dict[str, Tensor], numbers: Tensor, distances: Tensor, mask: Tensor, apart: Tensor) -> Tensor:
    """Dispersion energies [B] float64 in eV.

    Parameters
    ----------
    weights
        ``d3.c6`` [95, 95, R, R, 3] (C6 coefficient of two references, and the coordination number of either), ``d3.r4r2``,
        ``d3.radius``, ``d3.largest_cn`` [95].
    numbers
        [B, N] int64.
    distances
        Å, [B, N, N].
    mask, apart
        Real atoms [B, N] and pairs of different ones [B, N, N], bool.
    """
    d = (distances * BOHR).masked_fill(~apart, 10.0)
    radius = weights["d3.radius"][numbers]
    counted = torch.sigmoid(-K1 * ((radius[:, :, None] + radius[:, None, :]) / d - 1))
    coordination = counted.masked_fill(~apart, 0).sum(-1).minimum(weights["d3.largest_cn"][numbers])
    c6 = _c6(weights["d3.c6"], numbers, coordination).masked_fill(~apart, 0)
    r4r2 = weights["d3.r4r2"][numbers]
    ratio = 3 * r4r2[:, :, None] * r4r2[:, None, :]
    damping = A1 * ratio.sqrt() + A2
    pairs = c6 * (S6 / (d**6 + damping**6) + S8 * ratio / (d**8 + damping**8))
    return -HALF_HARTREE * pairs.flatten(1).sum(1, dtype=torch.float64)


def _c6(table: Tensor, numbers: Tensor, coordination: Tensor) -> Tensor:
    """C6 coefficients [B, N, N] for the coordination numbers [B, N]: means over references, weighted by how near they are."""
    elements, kind = torch.unique(numbers, return_inverse=True)
    chosen = table[elements][:, elements]  # [E, E, R, R, 3]
    reference = chosen[..., 1].amax((1, 3))  # [E, R]: it belongs to the first element alone; -1 where there is none
    near = torch.exp(K3 * (coordination[..., None] - reference[kind]).square())  # [B, N, R]
    # The references of an atom's element among those of all elements, so that matrix products sum over them.
    e, r = len(elements), near.shape[-1]
    spread = near.new_zeros(*near.shape[:2], e, r)
    spread.scatter_(2, kind[:, :, None, None].expand(-1, -1, 1, r), near[:, :, None])
    spread = spread.flatten(2)  # [B, N, E R]
    c6 = chosen[..., 0].permute(0, 2, 1, 3).reshape(e * r, e * r)
    summed = (spread @ c6) @ spread.transpose(1, 2)
    total = near.sum(-1)
    weight = total[:, :, None] * total[:, None, :]
    return torch.where(weight < 1e-5, 0.0, summed / weight.clamp(min=1e-5))
