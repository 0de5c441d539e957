"""The losses of the diffusion models: Eq. 4 (noise), Eq. 6 (time) and their sum (section 2.4).

A loss is the mean of these errors over all atoms of the training molecules: every atom counts the same, whichever molecule and
batch it is in (`morered.training.module.TrainingModule.counts`). Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

from torch import Tensor


def noise_errors(predicted: Tensor, noise: Tensor) -> Tensor:
    """Squared error of each atom's noise, mean over components (Eq. 4): predicted, noise [B, N, 3] -> [B, N]."""
    return (predicted - noise).square().mean(-1)


def time_errors(predicted: Tensor, time: Tensor) -> Tensor:
    """Squared error of each atom's time (Eq. 6), every atom predicting its molecule's: predicted [B, N], time [B] -> [B, N]."""
    return (predicted - time.unsqueeze(-1)).square()


def joint_loss(noise: Tensor, time: Tensor, eta: float) -> Tensor:
    """The joint loss, eta L_DDPM + (1 - eta) L_DTP (section 2.4)."""
    return eta * noise + (1 - eta) * time
