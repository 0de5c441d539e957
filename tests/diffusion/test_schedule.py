"""The noise schedules against their formulas, and the conversion between steps and times."""

import numpy as np
import pytest
import torch

from morered.diffusion.schedule import NoiseSchedule

KINDS = ("polynomial", "cosine", "linear")
SCALES = ("linear", "noise-level", "log-snr")


def test_polynomial_follows_the_rule() -> None:
    T, s = 1000, 1e-5
    raw = (1 - (np.arange(T + 1) / T) ** 2) ** 2
    cumulated = np.cumprod(np.maximum(raw[1:] / raw[:-1], 0.001))
    expected = (1 - 2 * s) * cumulated + s
    schedule = NoiseSchedule()
    np.testing.assert_allclose(schedule.alpha_bar.numpy(), expected, rtol=1e-13)
    # values worked out by hand: t = 1 and t = 500
    assert schedule.alpha_bar[0].item() == pytest.approx((1 - 2e-5) * (1 - 1e-6) ** 2 + 1e-5, abs=1e-14)
    assert schedule.alpha_bar[499].item() == pytest.approx((1 - 2e-5) * 0.75**2 + 1e-5, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("T", [2, 10, 1000])
def test_coefficients_fit_together(kind: str, T: int) -> None:
    schedule = NoiseSchedule(kind, T)
    for values in (schedule.alpha_bar, schedule.alpha, schedule.beta, schedule.sigma):
        assert values.dtype == torch.float64
        assert values.shape == (T,)
        assert torch.isfinite(values).all()
    assert (schedule.alpha_bar.diff() < 0).all()
    assert ((schedule.alpha_bar > 0) & (schedule.alpha_bar < 1)).all()
    torch.testing.assert_close(torch.cumprod(schedule.alpha, 0), schedule.alpha_bar, rtol=1e-10, atol=0)
    torch.testing.assert_close(schedule.beta, 1 - schedule.alpha)
    # Eq. 3; alpha_bar is 1 before the first step, so that the last reverse step adds no noise
    i = T - 1
    variance = schedule.beta[i] * (1 - schedule.alpha_bar[i - 1]) / (1 - schedule.alpha_bar[i])
    assert schedule.sigma[i].item() == pytest.approx(variance.sqrt().item())
    assert schedule.sigma[0] == 0
    assert (schedule.sigma[1:] > 0).all()


def test_cosine_and_linear_have_their_known_values() -> None:
    # Nichol and Dhariwal: f(t) = cos^2((t/T + 0.008) / 1.008 * pi / 2); Ho et al.: beta from 1e-4 to 0.02
    f = np.cos((np.array([0, 0.5]) + 0.008) / 1.008 * np.pi / 2) ** 2
    assert NoiseSchedule("cosine").alpha_bar[499].item() == pytest.approx(f[1] / f[0], rel=1e-12)
    linear = NoiseSchedule("linear")
    assert linear.beta[[0, -1]].tolist() == pytest.approx([1e-4, 0.02], rel=1e-9)
    assert linear.alpha_bar[-1].item() == pytest.approx(4.0358e-5, rel=1e-4)  # known for DDPM
    assert NoiseSchedule("linear", 500).alpha_bar[-1].item() == pytest.approx(
        4.0e-5, rel=0.1
    )  # stretched: ends at the same level


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("T", [2, 7, 1000])
def test_steps_survive_the_way_to_times_and_back(kind: str, scale: str, T: int) -> None:
    schedule = NoiseSchedule(kind, T, time_scale=scale)
    steps = torch.arange(T)
    times = schedule.time(steps)
    assert times.dtype == torch.float64
    assert times[0] == 0
    assert times[-1] == 1
    assert (times.diff() > 0).all()
    assert torch.equal(schedule.step(times), steps)
    # a float32 network output that is a little off still means the same step where steps are wider than that error
    if times.diff().min() > 1e-5:
        assert torch.equal(schedule.step(times.float() + 1e-6), steps)
    assert schedule.step(torch.tensor([-3.0, 7.0])).tolist() == [0, T - 1]


def test_scales_measure_what_they_say() -> None:
    steps = torch.arange(1000)
    level = NoiseSchedule(time_scale="noise-level")
    noise = (1 - level.alpha_bar).sqrt()
    assert np.corrcoef(level.time(steps), noise)[0, 1] > 1 - 1e-12
    snr = NoiseSchedule(time_scale="log-snr")
    assert np.corrcoef(snr.time(steps), torch.log(snr.alpha_bar / (1 - snr.alpha_bar)))[0, 1] < -1 + 1e-12
    assert NoiseSchedule().time(torch.tensor(249)).item() == 249 / 999


def test_moves_between_devices() -> None:
    schedule = NoiseSchedule(T=10)
    assert schedule.to("cpu") is schedule
    meta = schedule.to("meta")
    assert meta.alpha_bar.device.type == meta.device.type == "meta"
    assert meta.T == 10
    assert schedule.device.type == "cpu"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "sigmoid"}, "polynomial, cosine, linear"),
        ({"time_scale": "log"}, "noise-level"),
        ({"T": 1}, "at least 2 steps"),
        ({"s": 0.5}, "precision"),
    ],
)
def test_refuses_what_cannot_be(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NoiseSchedule(**settings)
