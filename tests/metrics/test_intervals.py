"""Intervals and spreads of the reported numbers: their columns, and that inputs of one minimum count as one draw."""

import numpy as np
import pandas as pd
import pytest

from morered.metrics.intervals import limits_of, with_intervals, with_spread
from morered.metrics.tables import summarise


def runs_of(ratios, *, references=None, seed=0, steps=10):
    n = len(ratios)
    return pd.DataFrame(
        {
            "testset": "t",
            "method": "m",
            "seed": seed,
            "id": [str(k) for k in range(n)],
            "reference": [str(k) for k in range(n)] if references is None else references,
            "verdict": "converged",
            "ratio": ratios,
            "rmsd_before": 0.1,
            "moved": 0.1,
            "rmsd_after": 0.1 * np.asarray(ratios),
            "steps": steps,
            "seconds": 1.0,
            "minimum_bonds": 1,
        }
    )


def test_limits_lie_around_the_values_and_are_columns_of_their_own():
    rng = np.random.default_rng(0)
    runs = runs_of(rng.uniform(0, 2, 300))
    quantities = ["median_ratio", "failure_percent", "median_rmsd", "mean_steps"]
    table = with_intervals(summarise(runs), runs, quantities)
    assert list(table.columns)[-8:] == limits_of(quantities)
    row = table.iloc[0]
    for quantity in quantities[:3]:
        assert row[f"{quantity}_low"] < row[quantity] < row[f"{quantity}_high"]
    half = 100 * 1.96 * np.sqrt(0.25 / 300)
    assert row["failure_percent_high"] - row["failure_percent_low"] == pytest.approx(2 * half, rel=0.15)
    assert row["mean_steps_low"] == row["mean_steps_high"] == 10


def test_inputs_of_one_minimum_are_drawn_together():
    rng = np.random.default_rng(1)
    minima = rng.uniform(0, 2, 60)
    ratios, references = np.repeat(minima, 5), np.repeat(np.arange(60), 5).astype(str)
    together = runs_of(ratios, references=references)
    apart = runs_of(ratios)
    widths = []
    for runs in (together, apart):
        row = with_intervals(summarise(runs), runs, ["failure_percent"]).iloc[0]
        widths.append(row["failure_percent_high"] - row["failure_percent_low"])
    assert widths[0] == pytest.approx(np.sqrt(5) * widths[1], rel=0.25)


def test_the_spread_is_over_the_seeds():
    runs = pd.concat([runs_of([0.1, 0.2, 0.3 + 0.1 * seed], seed=seed) for seed in range(3)], ignore_index=True)
    runs.loc[runs["seed"] == 1, "ratio"] += 0.2
    table = with_spread(pd.DataFrame({"method": ["m"]}), runs, ["median_ratio"])
    assert table.loc[0, "seeds"] == 3
    assert table.loc[0, "median_ratio_spread"] == pytest.approx(np.std([0.2, 0.4, 0.2], ddof=1))
    one = with_spread(pd.DataFrame({"method": ["m"]}), runs[runs["seed"] == 0], ["median_ratio"])
    assert np.isnan(one.loc[0, "median_ratio_spread"])
