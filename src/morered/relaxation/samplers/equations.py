"""The paper's equations that a step of the reverse process needs, on structures [B, N, 3] at steps [B].

    Eq. 2   x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps                     `diffused`, and `clean` for x_0
    Eq. 3   x_{t-1} ~ N(mu(x_t, t), sigma_t^2)                                          `reverse`
    Eq. 5   mu = 1 / sqrt(alpha_t) (x_t - beta_t / sqrt(1 - alpha_bar_t) eps(x_t, t))   `reverse`, which adds sigma_t eps'
    Eq. 8   the same with t = tau(x), predicted anew at every step: `ReverseDiffusion.step` does that

The factors of all steps stand in one table, which makes a step one look-up. Shapes: B batch, N padded atoms, T steps.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from morered.diffusion.schedule import NoiseSchedule


class Factors(NamedTuple):
    """What the equations need of a step, [B, 1, 1] each, and its normalised time [B]."""

    keep: Tensor  # Eq. 5: 1 / sqrt(alpha), on x
    follow: Tensor  # Eq. 5: -beta / sqrt(alpha (1 - alpha_bar)), on the predicted noise
    sigma: Tensor  # Eq. 3: on the new noise
    signal: Tensor  # Eq. 2: sqrt(alpha_bar), on the clean structure
    noise: Tensor  # Eq. 2: sqrt(1 - alpha_bar), on the noise
    unscale: Tensor  # Eq. 2 solved for the clean structure: 1 / sqrt(alpha_bar), on x
    remove: Tensor  # the same: -sqrt(1 - alpha_bar) / sqrt(alpha_bar), on the noise
    time: Tensor


def table(schedule: NoiseSchedule) -> Tensor:
    """The `Factors` of all steps, [T, 8]."""
    signal, noise = schedule.alpha_bar.sqrt(), (1 - schedule.alpha_bar).sqrt()
    keep = 1 / schedule.alpha.sqrt()
    time = schedule.time(torch.arange(schedule.T, device=schedule.device))
    factors = Factors(keep, -keep * schedule.beta / noise, schedule.sigma, signal, noise, 1 / signal, -noise / signal, time)
    return torch.stack(factors, dim=1)


def at(table: Tensor, step: Tensor) -> Factors:
    """The factors of steps [B]."""
    row = table[step]
    keep, follow, sigma, signal, noise, unscale, remove = row[:, :7, None, None].unbind(1)
    return Factors(keep, follow, sigma, signal, noise, unscale, remove, row[:, 7])


def reverse(x: Tensor, noise: Tensor, factors: Factors, new_noise: Tensor | None) -> Tensor:
    """One step of the reverse process, Eqs. 3 and 5; without new noise the mean alone."""
    mean = torch.addcmul(factors.keep * x, factors.follow, noise)
    return mean if new_noise is None else torch.addcmul(mean, factors.sigma, new_noise)


def clean(x: Tensor, noise: Tensor, factors: Factors) -> Tensor:
    """The structure that the noise was added to, Eq. 2 solved for x_0."""
    return torch.addcmul(factors.unscale * x, factors.remove, noise)


def diffused(clean: Tensor, noise: Tensor, factors: Factors) -> Tensor:
    """A clean structure with noise, Eq. 2."""
    return factors.signal * clean + factors.noise * noise
