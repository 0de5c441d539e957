"""The forward process (Eq. 2) and the losses (Eq. 4, Eq. 6)."""

import pytest
import torch

from morered.diffusion import losses
from morered.diffusion.forward import diffuse
from morered.diffusion.random_numbers import centre, normal
from morered.diffusion.schedule import NoiseSchedule

SCHEDULE = NoiseSchedule()


@pytest.fixture
def mask() -> torch.Tensor:
    return torch.arange(6) < torch.tensor([[6], [4], [1]])


def test_diffuse_is_equation_2(mask: torch.Tensor) -> None:
    x0 = centre(torch.randn(3, 6, 3, dtype=torch.float64), mask)
    e = centre(normal(0, torch.arange(3), 0, 6), mask)
    step = torch.tensor([0, 249, 999])
    x = diffuse(x0, step, e, SCHEDULE)
    assert x.dtype == torch.float64
    for i, k in enumerate(step.tolist()):
        a = SCHEDULE.alpha_bar[k].item()
        torch.testing.assert_close(x[i], a**0.5 * x0[i] + (1 - a) ** 0.5 * e[i])
    assert x.sum(1).abs().max() < 1e-13  # stays centred
    assert (x[~mask] == 0).all()


def test_one_step_serves_all(mask: torch.Tensor) -> None:
    x0, e = torch.randn(2, 3, 6, 3, dtype=torch.float64)
    torch.testing.assert_close(diffuse(x0, torch.tensor(249), e, SCHEDULE), diffuse(x0, torch.full((3,), 249), e, SCHEDULE))


def test_variance_is_preserved() -> None:
    keys = torch.arange(20_000)
    x0 = normal(1, keys, 0, 2)
    for step in (0, 400, 999):
        x = diffuse(x0, torch.tensor(step), normal(2, keys, step, 2), SCHEDULE)
        # unit data and unit noise: five standard errors of a variance from 120 000 numbers
        assert x.var().item() == pytest.approx(1, abs=5 * (2 / x.numel()) ** 0.5)


def test_diffused_250_moves_atoms_as_far_as_the_paper_says() -> None:
    # sqrt(1 - alpha_bar) at t = 250 by hand: alpha_bar = (1 - 1/16)^2 = 0.87891
    assert (1 - SCHEDULE.alpha_bar[249]).sqrt().item() == pytest.approx((1 - 0.9375**2) ** 0.5, rel=1e-4)


def test_errors_are_those_of_equations_4_and_6() -> None:
    predicted, noise = torch.randn(2, 3, 6, 3, dtype=torch.float64)
    by_hand = [[((predicted[m, n] - noise[m, n]) ** 2).sum().item() / 3 for n in range(6)] for m in range(3)]
    assert losses.noise_errors(predicted, noise).tolist() == [pytest.approx(row) for row in by_hand]
    times, time = torch.rand(3, 6, dtype=torch.float64), torch.rand(3, dtype=torch.float64)
    by_hand = [[(times[m, n] - time[m]).item() ** 2 for n in range(6)] for m in range(3)]
    assert losses.time_errors(times, time).tolist() == [pytest.approx(row) for row in by_hand]
    assert losses.joint_loss(torch.tensor(2.0), torch.tensor(1.0), 0.9).item() == pytest.approx(1.9)


def test_predicting_nothing_costs_the_noise_variance() -> None:
    # centred noise has variance 1 - 1/N per coordinate: what a constant predictor scores
    mask = torch.ones(5000, 10, dtype=torch.bool)
    e = centre(normal(5, torch.arange(5000), 0, 10), mask)
    errors = losses.noise_errors(torch.zeros_like(e), e)
    assert errors.mean().item() == pytest.approx(0.9, abs=5 * (2 / e.numel()) ** 0.5)
