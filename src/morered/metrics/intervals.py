"""95 % confidence intervals and spreads over seeds of the numbers that tables of relaxations report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from morered.metrics.statistics import Estimate, fraction, mean, median
from morered.metrics.tables import UNRELAXED, failed, of_every_seed, one_seed, summarise


def _failures(group: pd.DataFrame) -> Estimate:
    found = fraction(failed(group), groups=group["reference"])
    return Estimate(100 * found.value, 100 * found.low, 100 * found.high, found.n)


def _steps(group: pd.DataFrame) -> Estimate:
    relaxed = group[~group["verdict"].isin(UNRELAXED)]  # one that was never relaxed has no number of steps
    return mean(relaxed["steps"], groups=relaxed["reference"])


#: Columns of `morered.metrics.tables.summarise` that have an interval; inputs of one minimum are drawn together.
ESTIMATES: Mapping[str, Callable[[pd.DataFrame], Estimate]] = {
    "median_ratio": lambda group: median(group["ratio"], groups=group["reference"]),
    "failure_percent": _failures,
    "median_rmsd": lambda group: median(group["rmsd_after"], groups=group["reference"]),
    "mean_steps": _steps,
}


def limits_of(quantities: Sequence[str]) -> list[str]:
    """Names of the columns of the limits: quantity_low and quantity_high of each."""
    return [f"{quantity}_{end}" for quantity in quantities for end in ("low", "high")]


def with_intervals(table: pd.DataFrame, runs: pd.DataFrame, quantities: Sequence[str]) -> pd.DataFrame:
    """A table of test sets and methods with the limits of some of its quantities as further columns.

    Parameters
    ----------
    table
        Columns testset and method, as of `morered.metrics.tables.summarise`.
    runs
        What it is of; the first seed of each is used.
    quantities
        Of `ESTIMATES`.
    """
    rows = []
    for (testset, method), group in one_seed(runs).groupby(["testset", "method"], sort=False):
        found = [ESTIMATES[quantity](group) for quantity in quantities]
        rows.append((testset, method, *(limit for estimate in found for limit in estimate[1:3])))
    return table.merge(
        pd.DataFrame(rows, columns=["testset", "method", *limits_of(quantities)]), on=["testset", "method"], how="left"
    )


def with_spread(table: pd.DataFrame, runs: pd.DataFrame, quantities: Sequence[str]) -> pd.DataFrame:
    """A table of methods on one test set with ``seeds`` and the standard deviation over them of some quantities, quantity_spread.

    Parameters
    ----------
    table
        Column method.
    runs
        With all seeds; the deviation is empty where there is one alone. Molecules that not every seed has do not count.
    quantities
        Columns of `morered.metrics.tables.summarise`.
    """
    runs = of_every_seed(runs)
    each = pd.concat([summarise(part) for _, part in runs.groupby("seed", sort=True)], ignore_index=True).groupby("method")
    spread = each[list(quantities)].std(ddof=1).add_suffix("_spread")
    return table.merge(each.size().rename("seeds").to_frame().join(spread).reset_index(), on="method", how="left")
