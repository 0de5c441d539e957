"""Figure B3: RMSD ratios and RMSDs of methods whose networks are built on SO3Net in the place of PaiNN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from morered.figures import boxes, style
from morered.figures.catalogue.fig4.drawing import COLUMNS, QUANTITIES
from morered.metrics.intervals import with_intervals
from morered.metrics.tables import one_seed, summarise


def numbers(runs: pd.DataFrame, testset: str) -> pd.DataFrame:
    """Medians and failures of each method on one test set.

    Parameters
    ----------
    runs
        Tables of the relaxations (`morered.metrics.tables.read_runs`); the first seed of each method is used.
    testset
        The test set that is shown.

    Returns
    -------
    DataFrame
        The columns of fig4.csv: testset, method, n, median_ratio, failure_percent (ratios of 1 and more), median_rmsd (Å, after),
        and the limits of their 95 % confidence intervals.
    """
    runs = runs[runs["testset"] == testset]
    return with_intervals(summarise(one_seed(runs)), runs, QUANTITIES)[COLUMNS]


@style.styled
def draw(runs: pd.DataFrame, table: pd.DataFrame, stem: str | Path) -> None:
    """Draw the ratios on the left and the RMSDs on the right, with the numbers of ``table`` above; writes figB3.{png,pdf,csv}."""
    runs = one_seed(runs[runs["testset"].isin(table["testset"])])
    figure = style.new_figure(style.PAGE, 2.9)
    left, right = figure.subplots(1, 2)
    table = table.assign(note=table["failure_percent"].map(boxes.percent))
    shared: dict[str, Any] = {"head": ("median", "failures"), "room": 72 * (style.PAGE / 2 - 0.6) / (len(table) + 0.5)}
    boxes.fill(
        [left],
        runs.assign(value=runs["ratio"]),
        table.assign(value=table["median_ratio"]),
        ylabel="RMSD ratio (after / before)",
        line=1.0,
        top=2.0,
        **shared,
    )
    boxes.fill(
        [right],
        runs.assign(value=runs["rmsd_after"]),
        table.assign(value=table["median_rmsd"]),
        ylabel="RMSD after (Å)",
        **shared,
    )
    style.save(figure, stem, table.drop(columns="note"))


def make(runs: pd.DataFrame, stem: str | Path, testset: str) -> pd.DataFrame:
    """Make the figure from tables of relaxations; returns what figB3.csv holds."""
    table = numbers(runs, testset)
    draw(runs, table, stem)
    return table
