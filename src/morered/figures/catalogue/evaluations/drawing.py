"""Quality against cost: the median RMSD ratio and the failures of each way to relax by diffusion, over network evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import ascii_letters

import pandas as pd
from matplotlib.lines import Line2D

from morered.figures import style
from morered.metrics.intervals import limits_of, with_intervals
from morered.metrics.tables import in_order, one_seed, rows_of, summarise

#: Evaluations of a molecule, at most and in the mean, among whose methods a best one is named.
LIMITS = (20, 40, 100)
#: Up to so many methods all have a colour.
MANY = 8
#: Of the others, where there are more.
GREY = "#C4C4C4"
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


def front(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """The rows of one test set that no other beats: none takes as few evaluations or fewer and has less of the quantity.

    In the order of their evaluations; of methods that are equal in both the first one.
    """
    ordered = table.dropna(subset=[quantity]).sort_values(["evaluations", quantity], kind="stable")
    return ordered[ordered[quantity] < ordered[quantity].cummin().shift(fill_value=float("inf"))]


@style.styled
def draw(table: pd.DataFrame, stem: str | Path) -> None:
    """Draw medians and failures over evaluations, a mark for each test set and a line through its Pareto front.

    Each method has a colour. Of many methods, whose colours would repeat, only what lies on a front has one, and a letter; all
    else is grey.
    """
    methods, testsets = in_order(table["method"]), in_order(table["testset"])
    fronts = {(t, q): front(table[table["testset"] == t], q) for t in testsets for q, _ in _PANELS}
    ahead = [method for method in methods if any(method in set(found["method"]) for found in fronts.values())]
    many = len(methods) > MANY
    named = ahead if many else methods
    letters = {method: f"{letter} " if many else "" for method, letter in zip(named, ascii_letters, strict=False)}
    colours = style.palette(named)
    marks = dict(zip(testsets, "osD^v", strict=False))
    figure = style.new_figure(style.PAGE, 2.7 + 0.15 * -(-(len(named) + len(testsets)) // 3))
    panels = figure.subplots(1, 2)
    for axes, (quantity, label) in zip(panels, _PANELS, strict=True):
        for testset, mark in marks.items():
            found = fronts[testset, quantity]
            axes.plot(found["evaluations"], found[quantity], color="#888888", linewidth=0.8, drawstyle="steps-post", zorder=1)
            for row in rows_of(table[table["testset"] == testset]):
                chosen, shown = row.best_under > 0, not many or row.method in set(found["method"])
                colour, place = colours[row.method] if shown else GREY, (row.evaluations, getattr(row, quantity))
                axes.plot(
                    *place, mark, color=colour, markersize=7 if chosen else 4.5, markeredgecolor="#222222" if chosen else colour,
                    markeredgewidth=1.0, linestyle="", zorder=3 if shown else 2,
                )  # fmt: skip
                if many and shown:
                    axes.annotate(
                        letters[row.method].strip(), place, (3.5, 2.5), textcoords="offset points", fontsize=7, zorder=4
                    )
        for limit in LIMITS:
            axes.axvline(limit, color="#BBBBBB", linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
        axes.set_xscale("log")
        axes.set_xlabel("network evaluations a molecule")
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
    entries = [(colours[method], "s", letters[method] + method) for method in named]
    if many:
        entries.append((GREY, "s", f"not on the front ({len(methods) - len(named)} methods on none)"))
    entries += [("#777777", mark, testset) for testset, mark in marks.items()]
    handles = [Line2D([], [], color=colour, marker=mark, markersize=4.5, linestyle="") for colour, mark, _ in entries]
    handles.append(Line2D([], [], color="#888888", linewidth=0.8))
    figure.legend(handles, [*(name for *_, name in entries), "Pareto front"], loc="outside lower center", ncols=3)
    style.save(figure, stem, table)


def make(runs: pd.DataFrame, stem: str | Path, per_step: Mapping[str, float]) -> pd.DataFrame:
    """Make the figure from tables of relaxations; returns what evaluations.csv holds."""
    table = numbers(runs, per_step)
    draw(table, stem)
    return table
