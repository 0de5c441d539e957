"""Figure 3a: the first predicted time step of each input against its RMSD from the minimum."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from morered.extras import needs
from morered.figures import style
from morered.metrics import statistics
from morered.metrics.tables import one_seed, rows_of, write_table

with needs("figures"):
    import seaborn as sns

#: Panel (top to bottom) -> the method whose first prediction it shows. MoreRed-ITP and MoreRed-AS share one time predictor.
PANELS = {"MoreRed-JT": "MoreRed-JT", "MoreRed-ITP/-AS": "MoreRed-ITP"}
#: So many points are shown in each panel, as in the paper.
POINTS = 10_000


def numbers(
    runs: pd.DataFrame,
    testset: str,
    panels: Mapping[str, str] = PANELS,
    *,
    steps: Mapping[str, int] | None = None,
    points: int = POINTS,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """First predictions of each panel's method, and how they go with the RMSD.

    Parameters
    ----------
    runs
        Tables of the relaxations (`morered.metrics.tables.read_runs`); ``first_time`` is what is shown.
    testset
        The test set whose inputs are shown.
    panels
        Title of each panel -> method.
    steps
        Method -> diffusion steps T of the network that predicts its times; 1000 where it is not named.
    points
        At most so many inputs are kept in each panel, drawn at random with ``seed``; all count for the correlation.
    seed
        Seed of that choice.

    Returns
    -------
    points
        panel, method, id, rmsd (Å), step (array index i) and t = i + 1, the paper's time step.
    summary
        panel, method, n, pearson_r between RMSD and t with its 95 % confidence interval (bootstrap over minima), zero (inputs
        predicted to be at i = 0, where a relaxation ends at once), median_t.

    Raises
    ------
    ValueError
        If there is no relaxation by a panel's method on that test set, or it predicts no times.
    """
    shown, summary = [], []
    for panel, method in panels.items():
        rows = runs[(runs["testset"] == testset) & (runs["method"] == method)]
        rows = one_seed(rows)
        rows = rows[np.isfinite(rows["first_time"]) & np.isfinite(rows["rmsd_before"])]
        if rows.empty:
            raise ValueError(f"no predicted times by {method} on {testset}")
        last = (steps or {}).get(method, 1000) - 1
        step = np.rint(np.clip(rows["first_time"], 0, 1) * last).astype(int)
        correlation = statistics.pearson(rows["rmsd_before"], step + 1, groups=rows["reference"])
        frame = pd.DataFrame(
            {"panel": panel, "method": method, "id": rows["id"], "rmsd": rows["rmsd_before"], "step": step, "t": step + 1}
        )
        summary.append(
            {
                "panel": panel,
                "method": method,
                "n": len(frame),
                "pearson_r": correlation.value,
                "pearson_r_low": correlation.low,
                "pearson_r_high": correlation.high,
                "zero": int((step == 0).sum()),
                "median_t": frame["t"].median(),
            }
        )
        shown.append(frame.sample(points, random_state=seed).sort_index() if len(frame) > points else frame)
    return pd.concat(shown, ignore_index=True), pd.DataFrame(summary)


@style.styled
def draw(points: pd.DataFrame, summary: pd.DataFrame, stem: str | Path) -> None:
    """Draw one scatter plot with its linear fit under the other, side by side where there are more than two.

    Writes fig3a.{png,pdf,csv} and fig3a.summary.csv.
    """
    columns = _columns(len(summary))
    rows = -(-len(summary) // columns)
    figure = style.new_figure(style.COLUMN if columns == 1 else style.PAGE, 0.4 + (1.75 if columns < 3 else 2.0) * rows)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    panels = grid.ravel()
    for axes in panels[len(summary) :]:
        axes.set_axis_off()
    for axes, row in zip(panels, rows_of(summary), strict=False):
        chosen = points[points["panel"] == row.panel]
        many = len(chosen) > 1500
        points_look = {"s": 2.5 if many else 7, "alpha": 0.25 if many else 0.6, "linewidths": 0, "rasterized": True}
        sns.regplot(
            x=chosen["rmsd"], y=chosen["t"], ci=None, color=style.colour(row.method), scatter_kws=points_look,
            line_kws={"color": "#333333", "linewidth": 0.8}, ax=axes,
        )  # fmt: skip
        axes.set(xlabel="", ylabel="")
        axes.set_title(row.panel, loc="left", fontsize=8)
        axes.text(
            0.98, 0.04, f"ρ = {row.pearson_r:.2f}\n{_zeros(row.zero, row.n)}", transform=axes.transAxes, ha="right", va="bottom",
            fontsize=7, linespacing=1.3, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
        )  # fmt: skip
    for axes in grid[:, 0]:
        axes.set_ylabel(r"predicted first step $\hat{t}$")
    panels[0].set_xlim(left=0)
    panels[0].set_ylim(-0.015 * points["t"].max(), 1.04 * points["t"].max())
    figure.supxlabel("RMSD of the input from its minimum (Å)", fontsize=8)
    for axes in panels[max(0, len(summary) - columns) : len(summary)]:  # the last one of each column
        axes.tick_params(labelbottom=True)
    style.save(figure, stem, points)
    stem = style.stem_of(stem)
    write_table(summary, stem.with_name(f"{stem.name}.summary.csv"))


def make(
    runs: pd.DataFrame,
    stem: str | Path,
    testset: str,
    panels: Mapping[str, str] = PANELS,
    *,
    steps: Mapping[str, int] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the figure from tables of relaxations; returns what `numbers` returns."""
    points, summary = numbers(runs, testset, panels, steps=steps)
    draw(points, summary, stem)
    return points, summary


def _columns(panels: int) -> int:
    """Columns that leave the fewest cells empty: one for up to two panels, two or three for more."""
    return 1 if panels <= 2 else min((3, 2), key=lambda columns: -panels % columns)


def _zeros(zero: int, n: int) -> str:
    return f"{zero} of {n:,} predicted 0".replace(",", " ")
