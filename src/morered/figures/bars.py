"""Benchmarks as horizontal bars, grouped, with the number at the end of each bar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from morered.figures import html, style
from morered.metrics.tables import in_order


@style.styled
def draw(
    table: pd.DataFrame,
    stem: str | Path,
    *,
    value: str,
    label: str,
    case: str = "case",
    series: str | None = None,
    log: bool = False,
    title: str = "",
) -> None:
    """Draw one bar per row; writes stem.{png,pdf,csv}.

    Parameters
    ----------
    table
        One row per bar.
    stem
        Path of the figure without its ending.
    value
        Column with the length of the bars; rows without a number are left out.
    label
        Label of the axis, with the unit.
    case
        Column that names the groups of bars, from top to bottom in the order of appearance.
    series
        Column that tells the bars of a group apart (in the legend), or None for one bar per case.
    log
        Logarithmic axis.
    title
        Title of the figure.
    """
    shown = table[np.isfinite(table[value].astype(float))]
    cases = in_order(shown[case])
    names = in_order(shown[series]) if series else [""]
    colours = style.palette(names)
    thick = 0.8 / len(names)
    longest = max((len(str(c)) for c in cases), default=1)
    width = style.PAGE if longest > 22 else 0.5 * (style.PAGE + style.COLUMN)
    figure = style.new_figure(width, 0.75 + max(0.22, 0.14 * len(names)) * len(cases))
    axes = figure.subplots()
    for k, name in enumerate(names):
        rows = shown if series is None else shown[shown[series] == name]
        place = np.array([cases.index(c) for c in rows[case]]) + (k - (len(names) - 1) / 2) * thick
        values = rows[value].to_numpy(float)
        fill = colours[name] if series else style.METHOD_COLOURS["MLFF"]
        axes.barh(place, values, height=0.88 * thick, color=fill, label=str(name) or None)
        for y, x in zip(place, values, strict=True):
            axes.annotate(html.short(x), (x, y), xytext=(2.5, 0), textcoords="offset points", va="center", fontsize=6.5)
    axes.set_yticks(range(len(cases)), [str(c) for c in cases])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlabel(label)
    if log:
        axes.set_xscale("log")
    axes.margins(x=0.12)
    if not log:
        axes.set_xlim(left=0)
    if series:
        figure.legend(loc="outside upper center", ncols=min(len(names), 4))
    if title:
        axes.set_title(title)
    style.save(figure, stem, table)
