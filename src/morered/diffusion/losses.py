"""The losses of the diffusion models: Eq. 4 (noise), Eq. 6 (time) and their sum (section 2.4).

Means are over all atoms of the batch, so that every atom counts the same. Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

from torch import Tensor


def noise_loss(predicted: Tensor, noise: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error of the noise over atoms and components (Eq. 4). predicted, noise [B, N, 3]; mask [B, N] bool."""
    return masked_mean(noise_errors(predicted, noise), mask)


def time_loss(predicted: Tensor, time: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error of the time over atoms (Eq. 6): every atom predicts its molecule's.

    predicted [B, N], time [B], mask [B, N] bool.
    """
    return masked_mean(time_errors(predicted, time), mask)


def joint_loss(noise: Tensor, time: Tensor, eta: float) -> Tensor:
    """The joint loss, eta L_DDPM + (1 - eta) L_DTP (section 2.4)."""
    return eta * noise + (1 - eta) * time


def noise_errors(predicted: Tensor, noise: Tensor) -> Tensor:
    """Squared error of each atom's noise, mean over components, [B, N]."""
    return (predicted - noise).square().mean(-1)


def time_errors(predicted: Tensor, time: Tensor) -> Tensor:
    """Squared error of each atom's time, [B, N]."""
    return (predicted - time.unsqueeze(-1)).square()


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of values [B, N] where mask [B, N] is set."""
    weight = mask.to(values.dtype)
    return (values * weight).sum() / weight.sum().clamp(min=1)
