"""Figure 3b: time steps of the adaptive and of the fixed schedule while a few molecules relax."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from morered import storage
from morered.figures import style
from morered.figures.time_steps import COUNT, PREDICTED, curve, paper_step
from morered.metrics.evaluate import evaluate
from morered.metrics.tables import rows_of, write_table
from morered.trajectories import Trajectories

#: What is shown at full width, as a multiple of the longest run with the fixed schedule.
_BEYOND = 1.5


def numbers(
    adaptive: Trajectories,
    fixed: Trajectories,
    adaptive_ends: pd.DataFrame,
    fixed_ends: pd.DataFrame,
    *,
    steps: tuple[int, int] = (1000, 1000),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The curves, and the RMSDs of the inset table.

    Parameters
    ----------
    adaptive, fixed
        Steps of the same molecules with both schedules; the columns of `morered.figures.time_steps`.
    adaptive_ends, fixed_ends
        Tables of the relaxed structures (`morered.metrics.evaluate.evaluate`).
    steps
        Diffusion steps T of the network that predicts the adaptive schedule's times, and of the fixed one's.

    Returns
    -------
    curves
        molecule (1, 2, ... in order of ``adaptive``), id, schedule ("adaptive" or "fixed"), iteration (from 0), t (the paper's
        time step, i + 1) and predicted_t, the prediction at
        that step whether it was used or not.
    table
        molecule, id, rmsd_before, rmsd_adaptive, rmsd_fixed (Å), steps_adaptive, steps_fixed.

    Raises
    ------
    KeyError
        If a molecule of ``adaptive`` is missing elsewhere.
    ValueError
        If the fixed schedule was recorded without predictions.
    """
    if PREDICTED not in fixed.columns:
        raise ValueError("the fixed schedule was recorded without the times that it does not use")
    before = adaptive_ends.set_index("id")
    after = {"adaptive": before, "fixed": fixed_ends.set_index("id")}
    curves, table = [], []
    for number, name in enumerate((i.decode() for i in adaptive.ids.tolist()), start=1):
        row: dict[str, object] = {"molecule": number, "id": name, "rmsd_before": before.loc[name, "rmsd_before"]}
        for schedule, trajectories, T in (("adaptive", adaptive, steps[0]), ("fixed", fixed, steps[1])):
            columns = trajectories.of(name).columns
            shown = curve(columns, T)
            predicted = paper_step(columns[PREDICTED], T) if PREDICTED in columns else shown["t"]
            curves.append(pd.DataFrame({"molecule": number, "id": name, "schedule": schedule, **shown, "predicted_t": predicted}))
            row |= {
                f"rmsd_{schedule}": after[schedule].loc[name, "rmsd_after"],
                f"steps_{schedule}": int(columns[COUNT].max(initial=0)),
            }
        table.append(row)
    order = ["molecule", "id", "rmsd_before", "rmsd_adaptive", "rmsd_fixed", "steps_adaptive", "steps_fixed"]
    return pd.concat(curves, ignore_index=True), pd.DataFrame(table)[order]


@style.styled
def draw(
    curves: pd.DataFrame, table: pd.DataFrame, stem: str | Path, names: tuple[str, str] = ("MoreRed-JT", "MoreRed-ITP")
) -> None:
    """Draw the curves with the table of RMSDs beside them; writes fig3b.{png,pdf,csv} and fig3b.rmsd.csv.

    ``names`` are the methods with the adaptive and with the fixed schedule.
    """
    figure = style.new_figure(style.PAGE, 2.9)
    ends = curves.groupby("schedule")["iteration"].max()
    border = _BEYOND * (int(ends["fixed"]) + 1)
    parts = [2.6, 1.0]
    broken = int(ends["adaptive"]) > 2 * border  # else all of it happens in a sliver of the axis
    if broken:
        parts = [1.9, 0.7, 1.0]
    axes, *rest, side = figure.subplots(1, len(parts), gridspec_kw={"width_ratios": parts})
    side.axis("off")
    colours = [style.SERIES_COLOURS[k % len(style.SERIES_COLOURS)] for k in range(len(table))]
    for panel in (axes, *rest):
        for colour, row in zip(colours, rows_of(table), strict=True):
            _draw_steps(panel, curves[curves["molecule"] == row.molecule], colour)
        panel.set_ylim(0, 1.04 * float(curves[["t", "predicted_t"]].max().max()))
    axes.set_xlim(left=0)
    axes.set_ylabel("time step $t$")
    if broken:
        _break(axes, rest[0], border, int(ends["adaptive"]))
    axes.set_xlabel("relaxation step")
    grey = "#333333"
    side.legend(
        handles=[
            Line2D([], [], color=grey, linewidth=1.3, label=f"adaptive ({names[0]})"),
            Line2D([], [], color=grey, linewidth=1.1, linestyle=(0, (4, 2)), label=f"fixed ({names[1]})"),
            Line2D([], [], color=grey, linewidth=0, marker=".", markersize=4, label="predicted, not used"),
        ],
        loc="upper left",
        bbox_to_anchor=(0.0, 1.02),
        borderaxespad=0.0,
    )
    cells = [[_length(r.rmsd_before), _length(r.rmsd_adaptive), _length(r.rmsd_fixed)] for r in rows_of(table)]
    height = min(0.13 * (len(cells) + 1), 0.6)
    shown = side.table(
        cells, colLabels=["before", "adaptive", "fixed"], rowLabels=["●"] * len(cells), loc="lower left", cellLoc="center",
        edges="horizontal", bbox=[0.07, 0.0, 0.93, height],
    )  # fmt: skip
    shown.auto_set_font_size(False)
    shown.set_fontsize(7.5)
    for (line, column), cell in shown.get_celld().items():
        cell.set_linewidth(0.5)
        if column == -1:
            cell.get_text().set_color(colours[line - 1])
            cell.get_text().set_fontsize(10)
    side.text(0.07, height + 0.03, "RMSD from the minimum (Å)", transform=side.transAxes, fontsize=7.5, va="bottom")
    style.save(figure, stem, curves)
    stem = style.stem_of(stem)
    write_table(table, stem.with_name(f"{stem.name}.rmsd.csv"))


def make(
    adaptive: str | PathLike[str],
    fixed: str | PathLike[str],
    adaptive_ends: str | PathLike[str],
    fixed_ends: str | PathLike[str],
    inputs: str | PathLike[str],
    minima: str | PathLike[str],
    stem: str | Path,
    names: tuple[str, str] = ("MoreRed-JT", "MoreRed-ITP"),
    *,
    steps: tuple[int, int] = (1000, 1000),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the figure from files.

    Parameters
    ----------
    adaptive, fixed
        Trajectories of the same molecules.
    adaptive_ends, fixed_ends
        The relaxed structures of those runs, with verdict columns.
    inputs, minima
        The test set that they are from, and its minima.
    stem
        Path of the figure without its ending.
    names
        The methods with the adaptive and with the fixed schedule.
    steps
        As for `numbers`.
    """
    start, reference = storage.read(inputs), storage.read(minima)
    ends = [evaluate(storage.read(path), start, reference, subset=True) for path in (adaptive_ends, fixed_ends)]
    curves, table = numbers(Trajectories.read(adaptive), Trajectories.read(fixed), *ends, steps=steps)
    draw(curves, table, stem, names)
    return curves, table


def _draw_steps(axes: Axes, mine: pd.DataFrame, colour: str) -> None:
    """One molecule's curves of both schedules."""
    adaptive, fixed = (mine[mine["schedule"] == schedule] for schedule in ("adaptive", "fixed"))
    axes.plot(fixed["iteration"], fixed["t"], color=colour, linestyle=(0, (4, 2)), linewidth=1.1, zorder=2)
    every = max(1, len(fixed) // 60)
    axes.plot(
        fixed["iteration"][::every], fixed["predicted_t"][::every], ".", color=colour, markersize=3.4, alpha=0.8,
        markeredgewidth=0, zorder=1,
    )  # fmt: skip
    axes.plot(adaptive["iteration"], adaptive["t"], color=colour, linewidth=1.3, zorder=3)
    axes.plot(adaptive["iteration"].iloc[-1:], adaptive["t"].iloc[-1:], "o", color=colour, markersize=3.5, zorder=4)


def _break(axes: Axes, rest: Axes, border: float, end: int) -> None:
    """Show the steps up to ``border`` on the left and those to the end, drawn together, on the right of a broken axis."""
    axes.set_xlim(0, border)
    for line in rest.get_lines():
        line.set_linewidth(0.5)
    rest.set_xlim(border, 1.03 * end)
    rest.spines["left"].set_visible(False)
    rest.tick_params(left=False, labelleft=False)
    rest.xaxis.set_major_locator(MaxNLocator(3, prune="lower"))
    slashes: dict[str, Any] = {
        "marker": [(-0.5, -1), (0.5, 1)],
        "markersize": 6,
        "linestyle": "",
        "color": "#333333",
        "clip_on": False,
    }
    axes.plot([1], [0], transform=axes.transAxes, markeredgewidth=0.8, **slashes)
    rest.plot([0], [0], transform=rest.transAxes, markeredgewidth=0.8, **slashes)


def _length(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "–"
