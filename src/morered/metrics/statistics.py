"""Medians, fractions and correlations with confidence intervals.

Inputs of one minimum, and minima of one molecule, are no independent draws: where ``groups`` names what belongs together, whole
groups are drawn with replacement (Davison and Hinkley, Bootstrap Methods and their Application, 1997, Section 3.8).
A resample is never written out: it is a count of how often each value was drawn, and every statistic here takes such counts.

Shapes: n values, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 2000
_BATCH = 1 << 21  # counts held at once: 16 MB

Statistic = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""From counts [R, n] to values [R]."""


class Estimate(NamedTuple):
    """A statistic of ``n`` values and the limits of its confidence interval; NaN where there is none."""

    value: float
    low: float
    high: float
    n: int


def median(
    values: ArrayLike, groups: ArrayLike | None = None, confidence: float = CONFIDENCE, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Median of values [n] with a percentile bootstrap interval; NaN are left out and not counted, infinities stay.

    ``groups`` [n] names what is drawn together.
    """
    x, labels = _without_nan(values, groups)
    order = np.argsort(x, kind="stable")
    x = x[order]

    def statistic(counts: NDArray[np.int64]) -> NDArray[np.float64]:
        below = np.cumsum(counts[:, order], axis=1)
        total = below[:, -1]
        lower = x[np.argmax(below > ((total - 1) // 2)[:, None], axis=1)]
        upper = x[np.argmax(below > (total // 2)[:, None], axis=1)]
        return np.where(lower == upper, lower, (lower + upper) / 2)

    return _estimate(statistic, len(x), labels, confidence, resamples, seed)


def mean(
    values: ArrayLike, groups: ArrayLike | None = None, confidence: float = CONFIDENCE, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Mean of values [n] with a percentile bootstrap interval, NaN where a value is infinite; otherwise as `median`."""
    x, labels = _without_nan(values, groups)
    if not np.isfinite(x).all():
        return Estimate(float(x.mean()), np.nan, np.nan, len(x))
    return _estimate(lambda counts: counts @ x / counts.sum(axis=1), len(x), labels, confidence, resamples, seed)


def fraction(
    flags: ArrayLike, groups: ArrayLike | None = None, confidence: float = CONFIDENCE, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Fraction of true flags [n].

    Wilson's interval for independent flags, which stays honest where none or all are true; a bootstrap over ``groups`` otherwise.
    """
    x = np.asarray(flags, dtype=bool)
    if groups is not None:
        return mean(x.astype(np.float64), groups, confidence, resamples, seed)
    if not len(x):
        return Estimate(np.nan, np.nan, np.nan, 0)
    interval = stats.binomtest(int(x.sum()), len(x)).proportion_ci(confidence, method="wilson")
    return Estimate(float(x.mean()), float(interval.low), float(interval.high), len(x))


def pearson(
    x: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Pearson's correlation of x [n] and y [n]; pairs that are not finite are left out and not counted.

    Fisher's interval for independent pairs, a percentile bootstrap over ``groups`` otherwise. NaN where x or y does not vary.

    Raises
    ------
    ValueError
        If x and y have different lengths.
    """
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"{len(a)} and {len(b)} values cannot be correlated")
    known = np.isfinite(a) & np.isfinite(b)
    a, b, labels = a[known], b[known], None if groups is None else np.asarray(groups)[known]
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return Estimate(np.nan, np.nan, np.nan, len(a))
    if labels is None:
        result = stats.pearsonr(a, b)
        # Fisher's transform needs four pairs.
        low, high = result.confidence_interval(confidence) if len(a) > 3 else (np.nan, np.nan)
        return Estimate(float(result.statistic), float(low), float(high), len(a))
    a, b = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()  # so that the sums below lose no digits

    def statistic(counts: NDArray[np.int64]) -> NDArray[np.float64]:
        n = counts.sum(axis=1)
        mean_a, mean_b = counts @ a / n, counts @ b / n
        spread = (counts @ a**2 / n - mean_a**2) * (counts @ b**2 / n - mean_b**2)
        with np.errstate(divide="ignore", invalid="ignore"):
            return (counts @ (a * b) / n - mean_a * mean_b) / np.sqrt(spread)

    return _estimate(statistic, len(a), labels, confidence, resamples, seed)


def _without_nan(values: ArrayLike, groups: ArrayLike | None) -> tuple[NDArray[np.float64], NDArray | None]:
    x = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(x)
    return x[known], None if groups is None else np.asarray(groups)[known]


def _estimate(statistic: Statistic, n: int, groups: NDArray | None, confidence: float, resamples: int, seed: int) -> Estimate:
    """The statistic of all values once, and its percentiles over resamples of values or of groups."""
    if not n:
        return Estimate(np.nan, np.nan, np.nan, 0)
    value = float(statistic(np.ones((1, n), np.int64))[0])
    member = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    n_groups = int(member.max()) + 1
    generator = np.random.default_rng(seed)
    drawn = []
    for start in range(0, resamples, batch := max(1, _BATCH // n)):
        rows = min(batch, resamples - start)
        choice = generator.integers(n_groups, size=(rows, n_groups)) + n_groups * np.arange(rows)[:, None]
        counts = np.bincount(choice.ravel(), minlength=rows * n_groups).reshape(rows, n_groups)
        drawn.append(statistic(counts[:, member]))
    tail = 50 * (1 - confidence)
    # "nearest" takes values that were drawn: between a number and an infinity there is none.
    low, high = np.nanpercentile(np.concatenate(drawn), [tail, 100 - tail], method="nearest")
    return Estimate(value, float(low), float(high), n)
