"""Figure B1: RMSDs after relaxation: per method, per bin of the RMSD before, and molecule by molecule."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from morered.extras import needs
from morered.figures import boxes, style
from morered.metrics.intervals import limits_of, with_intervals, with_spread
from morered.metrics.tables import in_order, of_every_seed, one_seed, summarise, write_table

with needs("figures"):
    import seaborn as sns

#: Methods of panel b, run with several seeds.
VARIANTS = ("MoreRed-ITP", "MoreRed-JT", "MoreRed-AS")
#: Methods of panel c.
SCATTERED = (*VARIANTS, "MLFF")
#: Equally filled bins of panel b.
BINS = 8
#: Of panel a, with interval and spread over seeds.
QUANTITIES = ["median_rmsd", "failure_percent"]
#: Columns of figB1.csv.
COLUMNS = [
    "method", "n", "median_rmsd", "mean_rmsd", "failure_percent", *limits_of(QUANTITIES), "seeds",
    *(f"{quantity}_spread" for quantity in QUANTITIES),
]  # fmt: skip
#: So many points are shown in each picture of panel c.
POINTS = 10_000


def numbers(
    runs: pd.DataFrame,
    testset: str,
    *,
    variants: Sequence[str] = VARIANTS,
    scattered: Sequence[str] = SCATTERED,
    bins: int = BINS,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The three panels.

    Parameters
    ----------
    runs
        Tables of the relaxations, several seeds where there are any (`morered.metrics.tables.read_runs`).
    testset
        The test set that is shown.
    variants
        Methods of panel b; those without runs are left out.
    scattered
        Methods of panel c; those without runs are left out.
    bins
        Bins of panel b, each with the same number of inputs.

    Returns
    -------
    methods
        method, n, median_rmsd, mean_rmsd (Å) and failure_percent of the first seed, the limits of the 95 % confidence intervals
        (bootstrap over minima) of `QUANTITIES`, seeds, and the standard deviations of `QUANTITIES` over them (empty for one).
    bins
        method, bin (from 0), n, seeds, rmsd_before and rmsd_after (means over molecules and seeds, Å), spread (standard
        deviation over the seeds of a molecule's RMSD, mean over molecules, Å) and spread_of_mean (standard deviation over the
        seeds of the bin's mean, Å). The last two are empty for one seed.
    points
        method, id, rmsd_before, rmsd_after (Å), at most `POINTS` of each method, drawn at random.
    """
    runs = runs[runs["testset"] == testset]
    first = one_seed(runs)
    methods = with_spread(with_intervals(summarise(first), first, QUANTITIES), runs, QUANTITIES)
    means = first.groupby("method", sort=False)["rmsd_after"].mean().rename("mean_rmsd").reset_index()
    methods = methods.merge(means, on="method")[COLUMNS]
    there = set(first["method"])
    shared = of_every_seed(runs)
    binned = [_binned(shared[shared["method"] == method], bins).assign(method=method) for method in variants if method in there]
    columns = ["method", "bin", "n", "seeds", "rmsd_before", "rmsd_after", "spread", "spread_of_mean"]
    table = pd.concat(binned, ignore_index=True)[columns] if binned else pd.DataFrame(columns=columns)
    points = [
        first.loc[first["method"] == method, ["method", "id", "rmsd_before", "rmsd_after"]]
        for method in scattered
        if method in there
    ]
    points = [p.sample(POINTS, random_state=0).sort_index() if len(p) > POINTS else p for p in points]
    empty = pd.DataFrame(columns=["method", "id", "rmsd_before", "rmsd_after"])
    return methods, table, pd.concat(points, ignore_index=True) if points else empty


def _binned(runs: pd.DataFrame, bins: int) -> pd.DataFrame:
    """Panel b's rows for the runs of one method."""
    table = runs.pivot(index="id", columns="seed", values="rmsd_after")
    before = runs.drop_duplicates("id").set_index("id")["rmsd_before"].reindex(table.index).sort_values(kind="stable")
    rows = []
    for k, names in enumerate(np.array_split(before.index.to_numpy(), min(bins, len(before)))):
        part = table.loc[names]
        many = part.shape[1] > 1
        rows.append(
            {
                "bin": k,
                "n": len(part),
                "seeds": part.shape[1],
                "rmsd_before": before[names].mean(),
                "rmsd_after": part.to_numpy().mean(),
                "spread": part.std(axis=1, ddof=1).mean() if many else np.nan,
                "spread_of_mean": part.mean(axis=0).std(ddof=1) if many else np.nan,
            }
        )
    return pd.DataFrame(rows)


@style.styled
def draw(
    runs: pd.DataFrame, testset: str, methods: pd.DataFrame, bins: pd.DataFrame, points: pd.DataFrame, stem: str | Path
) -> None:
    """Draw panels a to c; writes figB1.{png,pdf,csv}, figB1.bins.csv and figB1.points.csv."""
    figure = style.new_figure(style.PAGE, 5.3)
    rows = figure.add_gridspec(2, 1, height_ratios=[1.35, 1])
    upper = rows[0].subgridspec(1, 2, width_ratios=[1.45, 1])
    a, b = figure.add_subplot(upper[0]), figure.add_subplot(upper[1])

    first = one_seed(runs[runs["testset"] == testset])
    table = methods.assign(testset=testset, value=methods["median_rmsd"], note=methods["failure_percent"].map(boxes.percent))
    room = 72 * 3.4 / (len(methods) + 0.5)
    boxes.fill(
        [a], first.assign(value=first["rmsd_after"]), table, ylabel="RMSD after (Å)", head=("median", "failures"), room=room
    )
    style.letter(a, "a", above=40)

    colours = style.palette([*methods["method"], *in_order(bins["method"]), *in_order(points["method"])])
    for method in in_order(bins["method"]):
        mine = bins[bins["method"] == method]
        bars = None if mine["spread"].isna().all() else mine["spread"]
        b.errorbar(
            mine["rmsd_before"], mine["rmsd_after"], yerr=bars, color=colours[method], marker="o", markersize=3, capsize=2,
            linewidth=1.1, elinewidth=0.8, label=method,
        )  # fmt: skip
    b.set_xlabel("mean RMSD before (Å)")
    b.set_ylabel("mean RMSD after (Å)")
    b.set_xlim(left=0)
    b.set_ylim(bottom=0)
    if len(bins):
        b.set_ylim(top=b.get_ylim()[1] * (1 + 0.08 * bins["method"].nunique()))  # room for the legend above the curves
        b.legend(loc="upper left")
    style.letter(b, "b", above=40)

    shown = in_order(points["method"])
    if shown:
        lower = rows[1].subgridspec(1, len(shown))
        narrow = len(shown) > 5
        panels: list[Axes] = []
        for k, method in enumerate(shown):
            axes = figure.add_subplot(lower[k], sharex=panels[0] if panels else None, sharey=panels[0] if panels else None)
            panels.append(axes)
            mine = points[points["method"] == method]
            many = len(mine) > 1500
            sns.scatterplot(
                x=mine["rmsd_before"], y=mine["rmsd_after"], s=1.5 if many else 5, alpha=0.25 if many else 0.6, linewidth=0,
                color=colours[method], rasterized=True, ax=axes,
            )  # fmt: skip
            axes.set(title=method.removeprefix("MoreRed-") if narrow else method, ylabel="")
            axes.set_xlabel("" if narrow and k != len(shown) // 2 else "RMSD before (Å)")
            axes.xaxis.set_major_locator(MaxNLocator(3))
            if k:
                axes.tick_params(labelleft=False)
        finite = points["rmsd_after"].to_numpy()[np.isfinite(points["rmsd_after"].to_numpy())]
        x, y = 1.03 * points["rmsd_before"].max(), 1.05 * np.quantile(finite, 0.998)
        for axes in panels:
            axes.plot([0, max(x, y)], [0, max(x, y)], color="#333333", linewidth=0.7, linestyle=(0, (4, 3)), zorder=1)
        panels[0].set_xlim(0, x)
        panels[0].set_ylim(0, y)
        panels[0].set_ylabel("RMSD after (Å)")
        style.letter(panels[0], "c")
    style.save(figure, stem, methods)
    stem = style.stem_of(stem)
    write_table(bins, stem.with_name(f"{stem.name}.bins.csv"))
    write_table(points, stem.with_name(f"{stem.name}.points.csv"))


def make(
    runs: pd.DataFrame,
    stem: str | Path,
    testset: str,
    *,
    variants: Sequence[str] = VARIANTS,
    scattered: Sequence[str] = SCATTERED,
    bins: int = BINS,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Make the figure from tables of relaxations with all seeds; returns what `numbers` returns."""
    frames = numbers(runs, testset, variants=variants, scattered=scattered, bins=bins)
    draw(runs, testset, *frames, stem)
    return frames
