"""Figure 4: RMSD ratios after relaxation, per method, for both kinds of input."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from morered.figures import boxes, style
from morered.metrics.intervals import limits_of, with_intervals
from morered.metrics.tables import one_seed, summarise

#: What fig4.csv tells of each test set and method, each with the limits of its 95 % confidence interval in two columns more.
QUANTITIES = ["median_ratio", "failure_percent", "median_rmsd"]
#: Columns of fig4.csv.
COLUMNS = ["testset", "method", "n", *QUANTITIES, "median_rmsd_before", *limits_of(QUANTITIES)]


def numbers(runs: pd.DataFrame) -> pd.DataFrame:
    """Medians and failures of each test set and method.

    Parameters
    ----------
    runs
        Tables of the relaxations (`morered.metrics.tables.read_runs`); the first seed of each method is used.

    Returns
    -------
    DataFrame
        `COLUMNS`; ``failure_percent`` counts ratios of 1 and more (refused and failed molecules have exactly 1),
        ``median_rmsd`` and ``median_rmsd_before`` in Å are those after relaxation and of the inputs. Intervals are bootstrapped
        over minima.
    """
    return with_intervals(summarise(one_seed(runs)), runs, QUANTITIES)[COLUMNS]


@style.styled
def draw(runs: pd.DataFrame, table: pd.DataFrame, stem: str | Path) -> None:
    """Draw boxplots of the ratios in ``runs``, with the numbers of ``table`` above each box; writes fig4.{png,pdf,csv}."""
    runs = one_seed(runs)
    figure = boxes.draw_boxes(
        runs.assign(value=runs["ratio"]),
        table.assign(value=table["median_ratio"], note=table["failure_percent"].map(boxes.percent)),
        ylabel="RMSD ratio (after / before)",
        head=("median", "failures"),
        line=1.0,
        top=2.0,
    )
    style.save(figure, stem, table)


def make(runs: pd.DataFrame, stem: str | Path) -> pd.DataFrame:
    """Make the figure from tables of relaxations; returns what fig4.csv holds."""
    table = numbers(runs)
    draw(runs, table, stem)
    return table
