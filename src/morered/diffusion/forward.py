"""The forward process: a minimum and noise make a noisy structure (Eq. 2). Shapes: B batch, N padded atoms."""

from __future__ import annotations

from torch import Tensor

from morered.diffusion.schedule import NoiseSchedule


def diffuse(x0: Tensor, step: Tensor, noise: Tensor, schedule: NoiseSchedule) -> Tensor:
    """x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) e (Eq. 2).

    Parameters
    ----------
    x0
        Centred positions [B, N, 3] in Å, float64.
    step
        Steps int64 [B] or one for all [], 0..T-1.
    noise
        Centred unit noise [B, N, 3], float64: centred (Algorithm 1, line 5) so that the result is centred as well.
    schedule
        On the same device.

    Returns
    -------
    Tensor
        [B, N, 3] in Å, float64.
    """
    alpha_bar = schedule.alpha_bar[step].reshape(-1, 1, 1)
    return alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise
