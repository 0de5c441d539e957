"""Quality against cost: the median RMSD ratio and the failures of each way to relax by diffusion, over network evaluations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from string import ascii_lowercase

import pandas as pd

from morered.figures import style
from morered.metrics.intervals import limits_of, with_intervals
from morered.metrics.tables import in_order, one_seed, rows_of, summarise

#: Evaluations of a molecule, at most and in the mean, among whose methods a best one is named.
LIMITS = (20, 40, 100)
#: So many methods have colours that differ.
MANY = 8
QUANTITIES = ["median_ratio", "failure_percent"]
COLUMNS = ["testset", "method", "n", "evaluations", *QUANTITIES, *limits_of(QUANTITIES), "best_under"]

_PANELS = (("median_ratio", "median RMSD ratio"), ("failure_percent", "failures (%)"))


def numbers(runs: pd.DataFrame, per_step: Mapping[str, float]) -> pd.DataFrame:
    """Cost and quality of each method on each test set.

    Parameters
    ----------
    runs
        Tables of the relaxations (`morered.metrics.tables.read_runs`); the first seed of each method is used.
    per_step
        Networks that a method evaluates in a step: 2 where noise and time are two networks'.

    Returns
    -------
    DataFrame
        `COLUMNS`: evaluations is the mean over molecules; low and high bound 95 % of bootstrap resamples over minima; best_under
        holds the largest of `LIMITS` that the method is the best under, 0 for none. The best under a limit is, of the methods
        that stay under it on every test set, the one with the lowest sum of median ratio and share of failures, mean over test
        sets.
    """
    runs = one_seed(runs)
    table = with_intervals(summarise(runs), runs, QUANTITIES)
    table["evaluations"] = table["mean_steps"] * table["method"].map(per_step)
    merit = (table["median_ratio"] + table["failure_percent"] / 100).groupby(table["method"]).mean()
    most = table.groupby("method")["evaluations"].max()
    best = {merit[most < limit].idxmin(): limit for limit in LIMITS if (most < limit).any()}
    return table.assign(best_under=table["method"].map(best).fillna(0).astype(int))[COLUMNS]


@style.styled
def draw(table: pd.DataFrame, stem: str | Path) -> None:
    """Draw medians and failures over evaluations, a colour for each method and a mark for each test set; of many methods, whose
    colours repeat, each has a letter as well.
    """
    methods, testsets = in_order(table["method"]), in_order(table["testset"])
    many = len(methods) > MANY
    letters = {method: f"{letter} " if many else "" for method, letter in zip(methods, _letters(), strict=False)}
    figure = style.new_figure(style.PAGE, (3.7 if many else 2.7) + 0.15 * -(-len(methods) // 3))
    colours = style.palette(methods)
    panels = figure.subplots(1, 2)
    for axes, (quantity, label) in zip(panels, _PANELS, strict=True):
        for testset, marker in zip(testsets, "osD^v", strict=False):
            for row in rows_of(table[table["testset"] == testset]):
                chosen = row.best_under > 0
                axes.plot(
                    row.evaluations, getattr(row, quantity), marker, color=colours[row.method], markersize=7 if chosen else 4.5,
                    markeredgecolor="#222222" if chosen else colours[row.method], markeredgewidth=1.0, linestyle="",
                )  # fmt: skip
                if many:
                    axes.annotate(
                        letters[row.method].strip(), (row.evaluations, getattr(row, quantity)), (3.5, 1.5),
                        textcoords="offset points", fontsize=6, color="#333333",
                    )  # fmt: skip
        for limit in LIMITS:
            axes.axvline(limit, color="#BBBBBB", linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
        axes.set_xscale("log")
        axes.set_xlabel("network evaluations a molecule")
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
    handles = [panels[0].plot([], [], "s", color=colours[method], markersize=4.5)[0] for method in methods]
    handles += [panels[0].plot([], [], mark, color="#777777", markersize=4.5)[0] for mark in "osD^v"[: len(testsets)]]
    figure.legend(handles, [*(letters[method] + method for method in methods), *testsets], loc="outside lower center", ncols=3)
    style.save(figure, stem, table)


def _letters() -> Iterator[str]:
    """Letters from a to z, then pairs of them."""
    return ("".join(pair) for length in (1, 2) for pair in product(ascii_lowercase, repeat=length))


def make(runs: pd.DataFrame, stem: str | Path, per_step: Mapping[str, float]) -> pd.DataFrame:
    """Make the figure from tables of relaxations; returns what evaluations.csv holds."""
    table = numbers(runs, per_step)
    draw(table, stem)
    return table
