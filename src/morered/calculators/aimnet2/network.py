"""The network of AIMNet2 in padded batches (Anstine, Zubatyuk, Isayev, Chem. Sci. 2025).

An atom's features a [16 channels, 16 shells] meet its neighbours' in convolutions over shells of distance, and three perceptrons
update them and the partial charges q, which add up to the molecule's charge after each pass (neural charge equilibration).
Energy: a perceptron of the last features, the Coulomb energy of the charges beyond short range, and D3 dispersion.

Shapes: B batch, N padded atoms, A atoms (flat), C = 16 channels, G = 16 shells, H = 12 combinations. Units: Å, e, eV.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from morered.calculators.aimnet2 import dispersion

CHANNELS = SHELLS = 16
CUTOFF = 5.0  # Å, of the shells
WIDTH = 14.512471199035645  # 1/Å², of the shells
COULOMB_CUTOFF = 4.6  # Å: what is nearer belongs to the perceptron
COULOMB = 7.1998226  # eV Å / e², half of e²/(4 pi epsilon_0): each pair is counted twice

Weights = dict[str, Tensor]


def energies(weights: Weights, numbers: Tensor, positions: Tensor, mask: Tensor, charges: Tensor) -> tuple[Tensor, Tensor]:
    """Energies and partial charges.

    Parameters
    ----------
    weights
        As `morered.calculators.aimnet2.weights.load` gives them; their type is that of the calculation.
    numbers
        Atomic numbers, [B, N] int64; 0 on padding.
    positions
        Å, [B, N, 3].
    mask
        [B, N] bool: the real atoms.
    charges
        Total charges, [B].

    Returns
    -------
    Tensor, Tensor
        Energies [B] float64 in eV; partial charges [B, N] in e.
    """
    dtype = weights["shifts"].dtype
    charges = charges.to(dtype)
    apart, distances, vectors = _pairs(positions.to(dtype), mask)
    shells = _shells(weights["shifts"], distances, vectors)
    features = weights["embedding"][numbers[mask]]  # [A, C G]
    q = positions.new_zeros(mask.shape, dtype=dtype)
    for k in range(3):
        inputs = [features, *_convolved(weights, features, q if k else None, shells, mask)]
        out = _perceptron(weights, str(k), torch.cat(inputs, -1), 4 if k == 2 else 3, last_activated=k > 0)
        if k == 2:
            break
        q = _equilibrated(q, out[:, 0], out[:, 1], charges, mask)
        features = features + out[:, 2:]
    local = _perceptron(weights, "energy", out, 3, last_activated=False) + weights["energy.shift"][numbers[mask]]
    total = _sum(_padded(local[:, 0], mask))
    return total + _coulomb(q, distances, apart) + dispersion.energies(weights, numbers, distances, mask, apart), q


def _pairs(positions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pairs of different atoms [B, N, N] bool, their distances (the cutoff elsewhere), and unit vectors [B, N, N, 3]."""
    n = mask.shape[1]
    apart = mask[:, :, None] & mask[:, None, :] & ~torch.eye(n, dtype=torch.bool, device=mask.device)
    difference = positions[:, None, :] - positions[:, :, None]
    distances = difference.square().sum(-1).masked_fill(~apart, CUTOFF**2).sqrt()
    return apart, distances, difference / distances[..., None]


def _shells(shifts: Tensor, distances: Tensor, vectors: Tensor) -> Tensor:
    """Shells of distance, alone and times the unit vector, [B, G, 4N, N]: the rows are (x, y, z or alone) of each atom."""
    cutoff = 0.5 * torch.cos(torch.pi * (distances / CUTOFF).clamp(max=1)) + 0.5
    shells = torch.exp(-WIDTH * (distances[:, None] - shifts[:, None, None]).square()) * cutoff[:, None]  # [B, G, N, N]
    directed = shells[:, :, None] * vectors.permute(0, 3, 1, 2)[:, None]  # [B, G, 3, N, N]
    return torch.cat([directed, shells[:, :, None]], 2).flatten(2, 3)


def _convolved(weights: Weights, features: Tensor, q: Tensor | None, shells: Tensor, mask: Tensor) -> list[Tensor]:
    """What an atom sees of its neighbours' features, and of their charges after its own, [A, ...] each."""
    b, n = mask.shape
    spread = features.new_zeros(b, n, CHANNELS * SHELLS)
    spread[mask] = features
    sources = spread.view(b, n, CHANNELS, SHELLS).permute(0, 3, 1, 2)  # [B, G, N, C]
    if q is not None:  # charges are one channel more, the same in each shell
        sources = torch.cat([sources, q[:, None, :, None].expand(b, SHELLS, n, 1)], -1)
    seen = torch.matmul(shells, sources).view(b, SHELLS, 4, n, -1)  # [B, G, 4, N, C (+1)]
    seen = seen.permute(0, 3, 2, 4, 1)[mask]  # [A, 4, C (+1), G]
    vectors = seen[:, :3]
    inputs = [seen[:, 3, :CHANNELS].flatten(1), _combined(vectors[:, :, :CHANNELS], weights["features.mixing"])]
    if q is not None:
        inputs += [q[mask][:, None], seen[:, 3, CHANNELS], _combined(vectors[:, :, CHANNELS:], weights["charges.mixing"])]
    return inputs


def _combined(vectors: Tensor, mixing: Tensor) -> Tensor:
    """Squared lengths of combinations of shells, [A, C H]; vectors [A, 3, C, G], mixing [C, G, H]."""
    a = vectors.shape[0]
    combined = torch.bmm(vectors.permute(2, 0, 1, 3).reshape(len(mixing), -1, SHELLS), mixing)  # [C, 3A, H]
    return combined.view(len(mixing), a, 3, -1).square().sum(2).transpose(0, 1).flatten(1)


def _perceptron(weights: Weights, name: str, x: Tensor, layers: int, last_activated: bool) -> Tensor:
    for layer in range(layers):
        x = functional.linear(x, weights[f"{name}.{layer}.weight"], weights[f"{name}.{layer}.bias"])
        if layer < layers - 1 or last_activated:
            x = functional.gelu(x)
    return x


def _equilibrated(q: Tensor, change: Tensor, softness: Tensor, charges: Tensor, mask: Tensor) -> Tensor:
    """Partial charges [B, N] that add up to ``charges`` [B]: what is missing is shared by the squared softness."""
    q = q + _padded(change, mask)
    share = _padded(softness, mask).square()
    missing = charges - q.sum(1)
    return q + share * (missing / (share.sum(1) + 1e-6))[:, None]


def _coulomb(q: Tensor, distances: Tensor, apart: Tensor) -> Tensor:
    ratio = (distances / COULOMB_CUTOFF).clamp(max=0.999999)
    near = torch.exp(1 - 1 / (1 - ratio.square()))
    pairs = COULOMB * (1 - near) * q[:, :, None] * q[:, None, :] / distances
    return _sum(pairs.masked_fill(~apart, 0).flatten(1))


def _padded(values: Tensor, mask: Tensor) -> Tensor:
    """[A] -> [B, N], 0 on padding."""
    return values.new_zeros(mask.shape).masked_scatter(mask, values)


def _sum(values: Tensor) -> Tensor:
    return values.sum(1, dtype=torch.float64)
