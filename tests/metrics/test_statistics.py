"""Intervals against SciPy's, their coverage in simulations, and groups that are drawn together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from morered.metrics import statistics

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


@settings(deadline=None, max_examples=50)
@given(values)
def test_values_are_those_of_numpy(x: list[float]) -> None:
    assert statistics.median(x, resamples=20).value == pytest.approx(np.median(x), rel=1e-15)
    assert statistics.mean(x, resamples=20).value == pytest.approx(np.mean(x), rel=1e-12, abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(0, 2**32 - 1))
def test_medians_of_resamples_are_those_of_their_values(counts: list[int], seed: int) -> None:
    """The median from counts against the median of the values written out."""
    if not sum(counts):
        return
    x = np.random.default_rng(seed).normal(size=len(counts))
    seen: list[float] = []
    original = statistics._estimate

    def capture(statistic: statistics.Statistic, *rest: object) -> statistics.Estimate:
        seen.append(float(statistic(np.array([counts]))[0]))
        return original(statistic, *rest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "_estimate", capture)
        statistics.median(x, resamples=1)
    assert seen == [pytest.approx(np.median(np.repeat(x, counts)), rel=1e-15)]


def test_bootstrap_agrees_with_scipy() -> None:
    x = np.random.default_rng(1).lognormal(size=400)
    for name, function in (("median", np.median), ("mean", np.mean)):
        reference = stats.bootstrap((x,), function, method="percentile", n_resamples=4000, rng=2).confidence_interval
        found = getattr(statistics, name)(x, resamples=4000)
        width = reference.high - reference.low
        # A percentile of 4000 resamples is uncertain by some 3 % of the interval's width.
        assert found.low == pytest.approx(reference.low, abs=0.1 * width)
        assert found.high == pytest.approx(reference.high, abs=0.1 * width)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    generator = np.random.default_rng(3)
    covered = 0
    for run in range(300):
        estimate = statistics.median(generator.normal(size=60), resamples=400, seed=run)
        covered += estimate.low <= 0 <= estimate.high
    # 95 % of 300 is 285 with a standard deviation of 4; the percentile bootstrap of a median errs by about a per cent.
    assert 270 <= covered <= 297


def test_groups_widen_intervals_where_their_members_agree() -> None:
    generator = np.random.default_rng(4)
    groups = np.repeat(np.arange(100), 20)
    x = generator.normal(size=100)[groups] + 0.01 * generator.normal(size=2000)
    alone, together = statistics.mean(x), statistics.mean(x, groups)
    assert together.value == alone.value
    # Members agree: 100 values rather than 2000, an interval sqrt(20) = 4.5 times as wide.
    assert (together.high - together.low) / (alone.high - alone.low) == pytest.approx(np.sqrt(20), rel=0.15)
    for function in (statistics.median, statistics.fraction, statistics.pearson):
        arguments = {statistics.fraction: (x > 0,), statistics.pearson: (x, x + generator.normal(size=100)[groups])}
        estimates = [function(*arguments.get(function, (x,)), g) for g in (None, groups)]
        assert estimates[1].value == pytest.approx(estimates[0].value, rel=1e-12)
        assert estimates[1].high - estimates[1].low > 2 * (estimates[0].high - estimates[0].low)


def test_groups_of_one_are_independent_values() -> None:
    x = np.random.default_rng(5).normal(size=50)
    labels = np.array([f"molecule {i:02d}" for i in range(50)])
    assert statistics.median(x, labels) == statistics.median(x)


def test_the_seed_decides() -> None:
    x = np.random.default_rng(6).normal(size=50)
    assert statistics.mean(x, seed=1) == statistics.mean(x, seed=1) != statistics.mean(x, seed=2)


def test_fractions_have_wilsons_interval() -> None:
    found = statistics.fraction([True] * 3 + [False] * 97)
    n, p, z = 100, 0.03, stats.norm.ppf(0.975)
    centre, half = (p + z**2 / 2 / n) / (1 + z**2 / n), z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / 4 / n**2)
    assert found == pytest.approx((p, centre - half, centre + half, n))
    none = statistics.fraction([False] * 50)
    assert (none.value, none.low) == (0, 0)
    assert 0.05 < none.high < 0.1  # 0 of 50 does not prove 0


def test_pearson_agrees_with_scipy() -> None:
    generator = np.random.default_rng(7)
    x = generator.normal(size=80)
    y = x + generator.normal(size=80)
    reference = stats.pearsonr(x, y)
    interval = reference.confidence_interval()
    assert statistics.pearson(x, y) == pytest.approx((reference.statistic, interval.low, interval.high, 80))
    shifted = statistics.pearson(x + 1e6, 1e-3 * y, np.arange(80))
    assert shifted.value == pytest.approx(reference.statistic, rel=1e-8)  # 1e6 leaves ten digits of x
    assert shifted.low == pytest.approx(interval.low, abs=0.1)
    with pytest.raises(ValueError, match="80 and 79"):
        statistics.pearson(x, y[1:])


def test_values_that_are_missing_or_infinite() -> None:
    assert statistics.median([1, np.nan, 3])[::3] == (2.0, 2)
    assert statistics.median([1, np.inf, np.inf]).value == np.inf
    assert statistics.median([1, 2, np.inf], resamples=200).high == np.inf
    infinite = statistics.mean([1, np.inf])
    assert infinite.value == np.inf
    assert np.isnan(infinite.low)
    assert statistics.pearson([1, 2, 3, np.nan, 5], [2, 4, 6, 1, np.inf]).n == 3
    for empty in (statistics.median([]), statistics.mean([np.nan]), statistics.fraction([]), statistics.pearson([1], [1])):
        assert np.isnan(empty.value)
    assert np.isnan(statistics.pearson([1, 1, 1], [1, 2, 3]).value)
    assert statistics.median([], np.array([], dtype=str)).n == 0
