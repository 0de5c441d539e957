"""Noise schedules of the variance-preserving diffusion process (section 2.1, Appendix C.2).

Index convention: the paper's step t = 1..T is the array index i = t - 1 = 0..T-1, called ``step``. A network sees and predicts
a normalised ``time`` in [0, 1], the paper's monotonic a(t) of Eq. 6; `NoiseSchedule.time` and `NoiseSchedule.step` convert
between the two and are each other's inverse on whole steps, whichever scale is chosen.
"""

from __future__ import annotations

import math
from typing import Literal, Self, get_args

import torch
from torch import Tensor

Kind = Literal["polynomial", "cosine", "linear"]
TimeScale = Literal["linear", "noise-level", "log-snr"]

_SMALLEST_RATIO = 0.001  # of neighbouring alpha_bar: keeps the last steps finite
_COSINE_OFFSET = 0.008


class NoiseSchedule:
    """Coefficients of the diffusion process for each step.

    Parameters
    ----------
    kind
        polynomial: alpha_bar = (1 - (t/T)^2)^2, the paper's approximation of the cosine schedule; cosine (Nichol and Dhariwal
        2021); linear in beta (Ho et al. 2020: 1e-4 to 0.02 over 1000 steps).
    T
        Number of steps, at least 2.
    s
        Precision of the polynomial schedule: alpha_bar ends up in [s, 1 - s], so that the first steps add little and the last
        are not empty.
    time_scale
        The a(t) of Eq. 6, scaled to run from 0 (step 0) to 1 (step T-1): linear in t; noise-level, sqrt(1 - alpha_bar); log-snr,
        minus log(alpha_bar / (1 - alpha_bar)).

    Attributes
    ----------
    alpha_bar, alpha, beta, sigma
        float64 [T]: share of the signal's variance that is left; alpha_bar(t) / alpha_bar(t-1) with alpha_bar(0) = 1; 1 -
        alpha; standard deviation of the reverse step (Eq. 3), 0 for the last reverse step, t = 1.

    Raises
    ------
    ValueError
        For an unknown kind or scale, or impossible T or s.
    """

    def __init__(self, kind: Kind = "polynomial", T: int = 1000, s: float = 1e-5, time_scale: TimeScale = "linear") -> None:
        if kind not in get_args(Kind):
            raise ValueError(f"unknown noise schedule {kind!r}; there are {', '.join(get_args(Kind))}")
        if time_scale not in get_args(TimeScale):
            raise ValueError(f"unknown time scale {time_scale!r}; there are {', '.join(get_args(TimeScale))}")
        if T < 2:
            raise ValueError(f"a noise schedule needs at least 2 steps, not {T}")
        if not 0 <= s < 0.5:
            raise ValueError(f"the precision s must lie in [0, 0.5), not {s}")
        self.kind: Kind = kind
        self.T = int(T)
        self.s = float(s)
        self.time_scale: TimeScale = time_scale

        self.alpha_bar = {"polynomial": _polynomial, "cosine": _cosine, "linear": _linear}[kind](self.T, self.s)
        self.alpha = torch.cat([self.alpha_bar[:1], self.alpha_bar[1:] / self.alpha_bar[:-1]])
        self.beta = 1 - self.alpha
        before = torch.cat([torch.ones_like(self.alpha_bar[:1]), self.alpha_bar[:-1]])  # alpha_bar(t-1)
        self.sigma = (self.beta * (1 - before) / (1 - self.alpha_bar)).sqrt()
        self._times = self._scaled_times()
        self._borders = (self._times[1:] + self._times[:-1]) / 2

    def __repr__(self) -> str:
        return f"NoiseSchedule({self.kind!r}, T={self.T}, s={self.s:g}, time_scale={self.time_scale!r})"

    @property
    def device(self) -> torch.device:
        """Where the coefficients live."""
        return self.alpha_bar.device

    def to(self, device: torch.device | str) -> Self:
        """The same schedule with its coefficients on ``device``; itself where they are there already."""
        device = torch.device(device)
        if self.device == device:
            return self
        moved = object.__new__(type(self))
        for name, value in vars(self).items():
            setattr(moved, name, value.to(device) if isinstance(value, Tensor) else value)
        return moved

    def time(self, step: Tensor) -> Tensor:
        """Normalised time a(t) in [0, 1], float64, of each step (integers 0..T-1, any shape)."""
        if self.time_scale == "linear":
            return step.to(torch.float64) / (self.T - 1)
        return self._times[step]

    def step(self, time: Tensor) -> Tensor:
        """The step (int64, 0..T-1) whose time is nearest to ``time``, which is clamped to [0, 1] first."""
        time = time.to(torch.float64).clamp(0, 1)
        if self.time_scale == "linear":
            return torch.round(time * (self.T - 1)).to(torch.int64)
        return torch.bucketize(time, self._borders)

    def _scaled_times(self) -> Tensor:
        if self.time_scale == "linear":
            return torch.arange(self.T, dtype=torch.float64) / (self.T - 1)
        if self.time_scale == "noise-level":
            level = (1 - self.alpha_bar).sqrt()
        else:
            level = torch.log1p(-self.alpha_bar) - torch.log(self.alpha_bar)
        return (level - level[0]) / (level[-1] - level[0])


def _polynomial(T: int, s: float) -> Tensor:
    t = torch.arange(T + 1, dtype=torch.float64) / T
    return (1 - 2 * s) * _clipped((1 - t**2) ** 2) + s


def _cosine(T: int, s: float) -> Tensor:
    t = torch.arange(T + 1, dtype=torch.float64) / T
    signal = torch.cos((t + _COSINE_OFFSET) / (1 + _COSINE_OFFSET) * math.pi / 2) ** 2
    return _clipped(signal / signal[0])


def _linear(T: int, s: float) -> Tensor:
    # stretched to T steps, so that the process ends at the same noise level
    beta = torch.linspace(1e-4, 0.02, T, dtype=torch.float64) * (1000 / T)
    return torch.cumprod(1 - beta.clamp(max=1 - _SMALLEST_RATIO), 0)


def _clipped(alpha_bar: Tensor) -> Tensor:
    """alpha_bar for t = 1..T from its values [T+1] for t = 0..T, with no ratio of neighbours below `_SMALLEST_RATIO`."""
    return torch.cumprod((alpha_bar[1:] / alpha_bar[:-1]).clamp(min=_SMALLEST_RATIO), 0)
