"""A sweep: the median RMSD ratio and the failures of each entry, per test set, with confidence intervals over molecules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from morered.figures import style
from morered.metrics import statistics
from morered.metrics.tables import failed, in_order, one_seed

#: Columns of the CSV; low and high bound 95 % of bootstrap resamples over reference minima.
COLUMNS = [
    "entry", "testset", "method", "n", "median_ratio", "median_ratio_low", "median_ratio_high",
    "failure_percent", "failure_percent_low", "failure_percent_high", "median_rmsd", "mean_steps",
]  # fmt: skip

#: Quantity of each panel -> its label.
PANELS = (("median_ratio", "median RMSD ratio"), ("failure_percent", "failures (%)"))


def numbers(entries: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Summary of each entry's runs (`morered.metrics.tables.read_runs`), entries in the order given."""
    rows = []
    for entry, runs in entries.items():
        for (testset, method), group in one_seed(runs).groupby(["testset", "method"], sort=False):
            ratio = statistics.median(group["ratio"], groups=group["reference"])
            failures = statistics.fraction(failed(group), groups=group["reference"])
            rows.append(
                (
                    entry, testset, str(method).split("@")[0], len(group), ratio.value, ratio.low, ratio.high,
                    100 * failures.value, 100 * failures.low, 100 * failures.high,
                    group["rmsd_after"].median(), group["steps"].mean(),
                )
            )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


@style.styled
def draw(table: pd.DataFrame, stem: str | Path, title: str = "") -> None:
    """Draw one row of panels, medians and failures, with a mark per test set and method; writes stem.{png,pdf,csv}."""
    entries, testsets, methods = (in_order(table[name]) for name in ("entry", "testset", "method"))
    figure = style.new_figure(style.PAGE, 0.7 + 0.16 * max(6, len(entries) * len(testsets) * len(methods)))
    colours = style.palette(methods)
    markers = dict(zip(testsets, "osD^v", strict=False))
    groups = [(testset, method) for testset in testsets for method in methods]
    shift = dict(zip(groups, np.linspace(-0.28, 0.28, len(groups)) if len(groups) > 1 else [0.0], strict=True))
    for axes, (quantity, label) in zip(figure.subplots(1, 2, sharey=True), PANELS, strict=True):
        for testset, method in groups:
            rows = table[(table["testset"] == testset) & (table["method"] == method)]
            place = np.array([entries.index(entry) for entry in rows["entry"]]) + shift[(testset, method)]
            value = rows[quantity].to_numpy()
            spread = np.abs(np.stack([value - rows[f"{quantity}_low"], rows[f"{quantity}_high"] - value]))
            style_of = {"color": colours[method], "marker": markers.get(testset, "o"), "markersize": 4.5}
            axes.errorbar(value, place, xerr=spread, linestyle="", elinewidth=0.9, label=f"{method}, {testset}", **style_of)
        axes.set_xlabel(label)
        axes.set_xlim(left=0)
        axes.margins(y=0.12)
        axes.grid(axis="x", color="#E4E4E4", linewidth=0.6)
        axes.set_axisbelow(True)
    axes.set_yticks(range(len(entries)), entries)
    axes.invert_yaxis()
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 3))
    if title:
        figure.suptitle(title, fontsize=8.5)
    style.save(figure, stem, table)


def make(entries: Mapping[str, pd.DataFrame], stem: str | Path, title: str = "") -> pd.DataFrame:
    """Make the figure from each entry's tables of relaxations; returns what the CSV holds."""
    table = numbers(entries)
    draw(table, stem, title)
    return table
