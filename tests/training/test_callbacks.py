"""Skipped batches, the learning rate and the averaged weights, each against what it should do."""

import math

import pytest
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from morered.models import weights
from morered.settings.training import TrainingConfig, training_config
from morered.training.averaging import WeightAveraging
from morered.training.counters import Counters, Diverged
from morered.training.diffusion_module import DiffusionModule
from morered.training.rate import LearningRate


def test_batches_that_cannot_be_used_are_counted() -> None:
    c = Counters()
    assert not c.take({"loss": math.nan}, 1.0, 10)
    assert all(c.take({"loss": 1.0, "noise": 2.0}, 1.0, 10) for _ in range(30))
    assert not c.take({"loss": 1.0}, math.inf, 10)  # the gradient alone
    assert not c.take({"loss": 10.1}, 1.0, 10)
    assert c.take({"loss": 9.9}, 1.0, 10)
    assert (c.batches, c.skipped, c.skipped_in_a_row) == (34, 3, 0)
    means = c.take_means()
    assert means["loss"] == pytest.approx((30 + 9.9) / 31)  # used ones only
    assert means["noise"] == pytest.approx(60 / 31)
    assert c.take_means() == {}
    assert Counters.from_dict(c.to_dict()) == c


def test_a_high_loss_at_the_start_is_no_explosion() -> None:
    c = Counters()
    assert all(c.take({"loss": loss}, 1.0, 10) for loss in (0.1, 50.0, 0.1, 70.0))


def test_a_diverged_run_ends() -> None:
    c = Counters()
    assert not any(c.take({"loss": math.nan}, 1.0, 10) for _ in range(199))
    with pytest.raises(Diverged, match="Lower the learning rate"):
        c.take({"loss": math.nan}, 1.0, 10)


def test_the_limit_that_comes_first_counts() -> None:
    config = TrainingConfig(max_steps=40, max_time=10.0)
    assert Counters(batches=20, seconds=1).fraction(config) == 0.5
    assert Counters(batches=20, seconds=9).fraction(config) == 0.9
    assert Counters(batches=20).fraction(TrainingConfig()) == 0


def fed(rate: LearningRate, losses: list[float]) -> list[float]:
    rates = []
    for loss in losses:
        rate.validated(loss)
        rates.append(rate.at(10**6, 0.0))
    return rates


def test_plateaus_halve_the_rate_as_torch_does() -> None:
    config = training_config({"plateau": {"patience": 2, "cooldown": 1}, "learning_rate": 0.1})
    losses = torch.rand(60, generator=torch.Generator().manual_seed(0)).tolist()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    oracle = ReduceLROnPlateau(optimizer, factor=0.5, patience=2, cooldown=1, threshold=0, eps=0)
    expected = []
    for loss in losses:
        oracle.step(loss)
        expected.append(optimizer.param_groups[0]["lr"])
    assert fed(LearningRate(config), losses) == pytest.approx(expected, rel=1e-12)
    assert expected[-1] < 0.1 / 100
    # interrupted and resumed in the middle
    first, second = LearningRate(config), LearningRate(config)
    rates = fed(first, losses[:23])
    second.load_state_dict(first.state_dict())
    assert rates + fed(second, losses[23:]) == pytest.approx(expected, rel=1e-12)


def test_warmup_and_cosine() -> None:
    rate = LearningRate(TrainingConfig(schedule="cosine", max_steps=100, warmup_steps=10, learning_rate=1.0))
    assert rate.at(0, 0.0) == pytest.approx(0.1)
    assert rate.at(9, 0.0) == pytest.approx(1.0)
    assert rate.at(50, 0.5) == pytest.approx(0.5)
    assert rate.at(100, 1.0) == pytest.approx(0.0, abs=1e-15)
    assert rate.at(101, 1.2) == pytest.approx(0.0, abs=1e-15)
    assert LearningRate(TrainingConfig(schedule="constant", max_steps=3)).at(2, 0.9) == 1e-4


def test_the_average_is_exponential() -> None:
    network = torch.nn.Linear(1, 1)
    average = WeightAveraging(0.9)
    average.start(network)
    by_hand = network.weight.item()
    for n in range(100):
        with torch.no_grad():
            network.weight.fill_(float(n))
        average.update(network)
        decay = min(0.9, (1 + n) / (10 + n))
        by_hand = decay * by_hand + (1 - decay) * n
    assert average.average[0].item() == pytest.approx(by_hand, rel=1e-5)  # float32


def test_the_average_stands_in_for_the_weights_and_leaves_whatever_happens() -> None:
    network = torch.nn.Linear(2, 1)
    weight = network.weight.detach().clone()
    average = WeightAveraging(0.5)
    average.start(network)
    for a in average.average:
        a.fill_(3.0)
    with average.standing_in(network):
        assert (network.weight == 3).all()
        average.keep(network)
    assert torch.equal(network.weight, weight)
    assert average.best is not None
    assert (average.best["weight"] == 3).all()
    with pytest.raises(ZeroDivisionError), average.standing_in(network):
        raise ZeroDivisionError
    assert torch.equal(network.weight, weight)


def test_the_lowest_validation_loss_is_the_best_and_others_are_waited_through() -> None:
    c, best = Counters(), []
    for c.batches, loss in enumerate((math.nan, 2.0, 3.0, 1.5, 1.5, math.inf)):
        best.append(c.validated({"loss": loss, "noise": 2 * loss}))
    assert best == [False, True, False, True, False, False]
    assert (c.best_loss, c.best_batch, c.best_metrics, c.waited) == (1.5, 3, {"loss": 1.5, "noise": 3.0}, 2)


def test_without_a_finite_validation_loss_the_last_average_is_used(quick, monkeypatch: pytest.MonkeyPatch) -> None:
    original = DiffusionModule.summarise
    monkeypatch.setattr(DiffusionModule, "summarise", lambda *a: {**original(*a), "loss": math.nan})
    path = quick(ema_decay=0.0)  # the average is the weights
    state = torch.load(path.parent / "checkpoints" / "last.ckpt", weights_only=True)
    saved = weights.load(path).network.state_dict()
    assert all(torch.equal(saved[name], value) for name, value in state["network"].items())
