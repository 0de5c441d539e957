"""Boxplots of one quantity per method, a panel per test set, with two numbers above each box: figures 4, B1a, B3 and 6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cbook import boxplot_stats
from matplotlib.figure import Figure
from numpy.typing import NDArray

from morered.extras import needs
from morered.figures import style
from morered.metrics.tables import in_order, rows_of

with needs("figures"):
    import seaborn as sns

_FAR = 1e9  # stands for infinity: quartiles of infinite values are not numbers


def percent(value: float) -> str:
    """A percentage with as many digits as it deserves: 0.4 %, 12 %."""
    return f"{value:.1f} %" if 0 < value < 9.95 or 99 < value < 100 else f"{value:.0f} %"


def number(value: float) -> str:
    """A number near 1 with two digits after the point; three where it is small."""
    if not np.isfinite(value):
        return "–" if np.isnan(value) else "∞"
    return f"{value:.3f}" if abs(value) < 0.0995 else f"{value:.2f}"


def draw_boxes(
    runs: pd.DataFrame,
    table: pd.DataFrame,
    *,
    ylabel: str,
    head: tuple[str, str],
    line: float | None = None,
    top: float | None = None,
    bottom: float | None = 0.0,
    height: float = 2.9,
) -> Figure:
    """Draw a figure with one panel per test set, side by side.

    Parameters
    ----------
    runs, table, ylabel, head, line, top, bottom
        See `fill`.
    height
        Height of the figure in inches; its width is a column's for one small panel, else the page's.
    """
    boxes = [int((table["testset"] == name).sum()) for name in in_order(table["testset"])]
    width = style.COLUMN if sum(boxes) <= 6 and len(boxes) == 1 else style.PAGE
    figure = style.new_figure(width, height)
    panels = figure.subplots(1, len(boxes), sharey=True, squeeze=False, gridspec_kw={"width_ratios": [max(n, 2) for n in boxes]})[
        0
    ]
    room = 72 * (width - 0.6) / (sum(boxes) + 0.5 * len(boxes))
    fill(panels, runs, table, ylabel=ylabel, head=head, room=room, line=line, top=top, bottom=bottom)
    return figure


def fill(
    panels: Sequence[Axes],
    runs: pd.DataFrame,
    table: pd.DataFrame,
    *,
    ylabel: str,
    head: tuple[str, str],
    room: float,
    line: float | None = None,
    top: float | None = None,
    bottom: float | None = 0.0,
) -> None:
    """Draw one test set into each of the panels, which share their y axis.

    Parameters
    ----------
    panels
        One for each test set.
    runs
        Columns testset, method, value: what the boxes show (median, quartiles, whiskers to the last point within 1.5
        interquartile ranges, points beyond them). Infinite values are allowed and lie beyond the axis.
    table
        Columns testset, method, value (a number) and note (a text): the two lines above each box; its order is the order of the
        panels and boxes.
    ylabel
        Label of the axis.
    head
        What the two lines above the boxes are called.
    room
        Points (1/72 inch) that each box may take, for the choice of the labels.
    line
        A value marked by a dashed line.
    top, bottom
        The axis ends here at most (``top``) or exactly (``bottom``); None leaves it to the data. Points above the axis
        are counted in a third line.
    """
    testsets = in_order(table["testset"])
    colours = style.palette(table["method"])
    groups = runs.groupby(["testset", "method"], sort=False)["value"]
    ends: list[float] = []
    for axes, testset in zip(panels, testsets, strict=True):
        methods = list(table.loc[table["testset"] == testset, "method"])
        values = [np.clip(groups.get_group((testset, m)).to_numpy(float), -_FAR, _FAR) for m in methods]
        stats = [boxplot_stats(v[~np.isnan(v)])[0] for v in values]
        _boxes(axes, dict(zip(methods, values, strict=True)), colours)
        ends += [end for s in stats for end in (s["whislo"], s["whishi"])]
        axes.set_xticks(range(len(methods)))
        _labels(axes, methods, room)
        axes.set_xlim(-0.6, len(methods) - 0.4)
        if line is not None:
            axes.axhline(line, color="#333333", linestyle=(0, (4, 3)), linewidth=0.8, zorder=0)
    _limits(panels, ends, line, top, bottom)
    panels[0].set_ylabel(ylabel)
    limit = panels[0].get_ylim()[1]
    beyond = {key: int((values > limit).sum()) for key, values in groups}
    lines = [*head, "beyond axis"] if any(beyond.values()) else list(head)
    text: dict[str, Any] = {"va": "bottom", "fontsize": 6.5, "linespacing": 1.25}
    for axes, testset in zip(panels, testsets, strict=True):
        rows = table[table["testset"] == testset]
        for x, row in enumerate(rows_of(rows)):
            notes = [number(row.value), row.note, str(beyond[testset, row.method] or "")]
            axes.text(x, 1.035, "\n".join(notes[: len(lines)]), transform=axes.get_xaxis_transform(), ha="center", **text)
        axes.set_title(f"{testset}  (n = {_counts(groups, testset, list(rows['method']))})", pad=9 + 9.5 * len(lines))
    panels[0].annotate(
        "\n".join(lines), (0, 1.035), xycoords="axes fraction", xytext=(-4, 0), textcoords="offset points", ha="right",
        fontstyle="italic", **text,
    )  # fmt: skip


def _boxes(axes: Axes, values: Mapping[str, NDArray[np.float64]], colours: Mapping[str, str]) -> None:
    grey = {"color": "#333333", "linewidth": 0.7}
    sns.boxplot(
        {method: pd.Series(numbers) for method, numbers in values.items()},
        palette=[colours[method] for method in values],
        saturation=1.0,
        width=0.62,
        flierprops={"marker": "o", "markersize": 1.6, "alpha": 0.35, "markeredgewidth": 0, "rasterized": True},
        medianprops={"color": "black", "linewidth": 1.3},
        boxprops={"edgecolor": "#333333", "linewidth": 0.7},
        whiskerprops=grey,
        capprops=grey,
        ax=axes,
    )
    for drawn in cast(list[Any], axes.containers):  # seaborn's own, which hold boxes and fliers
        for box, fliers in zip(drawn.boxes, drawn.fliers, strict=True):
            fliers.set_markerfacecolor(box.get_facecolor())


def _labels(axes: Axes, methods: Sequence[str], room: float) -> None:
    """Names under the boxes: on two lines where they fit, else slanted."""
    lines = [name.replace("-", "-\n", 1) for name in methods]
    longest = max(len(part) for text in lines for part in text.split("\n"))
    if longest * 4.6 <= room:  # points per character at this size
        axes.set_xticklabels(lines, fontsize=7)
    else:
        axes.set_xticklabels(methods, rotation=35, ha="right", rotation_mode="anchor", fontsize=7)
    axes.tick_params(axis="x", length=0)


def _limits(panels: Sequence[Axes], ends: Sequence[float], line: float | None, top: float | None, bottom: float | None) -> None:
    low, high = min(ends), max(ends)
    if line is not None:
        low, high = min(low, line), max(high, 1.2 * line)
    high += 0.08 * (high - low)
    panels[0].set_ylim(low - 0.05 * (high - low) if bottom is None else bottom, high if top is None else min(high, top))


def _counts(groups: Any, testset: str, methods: Sequence[str]) -> str:
    """Number of molecules behind each box: one number, or a range where they differ."""
    counts = [len(groups.get_group((testset, m))) for m in methods]
    low, high = (f"{n:,}".replace(",", " ") for n in (min(counts), max(counts)))
    return low if low == high else f"{low}–{high}"
