"""Figure B4: time steps while molecules are generated, and validity and uniqueness against the cap on the steps."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from morered.figures import style
from morered.figures.time_steps import curve
from morered.generation import examine
from morered.generation.quality import flags, share
from morered.metrics.tables import in_order, rows_of, write_table
from morered.trajectories import Trajectories

#: What is shown on the right, and how it is drawn: percent of the samples.
CURVES = {"valid": ("valid", "-", "o"), "unique": ("valid and unique", (0, (4, 2)), "s")}


def steps(trajectories: Trajectories, ends: pd.DataFrame, T: int = 1000) -> pd.DataFrame:
    """The left panel.

    Parameters
    ----------
    trajectories
        Steps of the samples that are followed.
    ends
        Table of what became of them (`morered.generation.examine.examine`).
    T
        Diffusion steps.

    Returns
    -------
    DataFrame
        sample (1, 2, ...), id, formula, valid (1 or 0), verdict, iteration (from 0) and t (the paper's time step, 1..T).
    """
    found = {row.id: row for row in rows_of(ends)}
    frames = []
    for number, trajectory in enumerate(trajectories, start=1):
        row = found[trajectory.id]
        frames.append(
            pd.DataFrame(
                {
                    "sample": number,
                    "id": trajectory.id,
                    "formula": row.formula,
                    "valid": row.valid,
                    "verdict": row.verdict,
                    **curve(trajectory.columns, T),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def numbers(
    capped: pd.DataFrame, against: pd.DataFrame, names: tuple[str, str] = ("MoreRed-large", "DDPM-large")
) -> pd.DataFrame:
    """The right panel.

    Parameters
    ----------
    capped
        Table of the samples at each cap (`morered.generation.examine.examine_at_caps`).
    against
        Table of the samples of the fixed schedule.
    names
        Of the two samplers.

    Returns
    -------
    DataFrame
        method, cap (the most steps that the fixed schedule took), quantity (valid or unique), percent, low, high (95 %
        interval by bootstrap over samples), n, and finished_percent (ended before the cap).
    """
    nothing = pd.DataFrame({"smiles": [], "graph": []}, dtype=str)
    groups = [(names[0], cap, capped[capped["cap"] == cap]) for cap in sorted(capped["cap"].unique().tolist())]
    groups.append((names[1], int(against["steps"].max()), against))
    rows = []
    for method, cap, group in groups:
        found = flags(group.reset_index(drop=True), nothing)
        finished = 100 * float((group["verdict"] == "converged").mean())
        rows += [(method, cap, quantity, *share(found[quantity]), finished) for quantity in CURVES]
    return pd.DataFrame(rows, columns=["method", "cap", "quantity", "percent", "low", "high", "n", "finished_percent"])


@style.styled
def draw(curves: pd.DataFrame, table: pd.DataFrame, stem: str | Path, T: int = 1000) -> None:
    """Draw both panels; writes figB4.{png,pdf,csv} (the right panel's numbers) and figB4.steps.csv."""
    figure = style.new_figure(style.PAGE, 2.8)
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.15, 1]})
    _draw_steps(left, curves, T)
    _draw_caps(right, table)
    style.letter(left, "a")
    style.letter(right, "b")
    style.save(figure, stem, table)
    stem = style.stem_of(stem)
    write_table(curves, stem.with_name(f"{stem.name}.steps.csv"))


def make(
    trajectories: str | PathLike[str],
    ends: str | PathLike[str],
    capped: str | PathLike[str],
    against: str | PathLike[str],
    stem: str | Path,
    names: tuple[str, str] = ("MoreRed-large", "DDPM-large"),
    *,
    T: int = 1000,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the figure from files; returns the numbers of both panels.

    Parameters
    ----------
    trajectories, ends
        Steps of the samples that are followed, and the table of what became of them.
    capped, against
        Tables of the samples at each cap and of those of the fixed schedule.
    stem
        Path of the figure without its ending.
    names
        Of the two samplers.
    T
        Diffusion steps.
    """
    curves = steps(Trajectories.read(trajectories), examine.read(ends), T)
    table = numbers(examine.read(capped), examine.read(against), names)
    draw(curves, table, stem, T)
    return curves, table


def _draw_steps(axes: Axes, curves: pd.DataFrame, T: int) -> None:
    axes.plot([0, T], [T, 0], color="#333333", linestyle=(0, (4, 2)), linewidth=1.0, zorder=4)
    handles = [Line2D([], [], color="#333333", linestyle=(0, (4, 2)), linewidth=1.0, label="fixed (DDPM)")]
    for k, (_, mine) in enumerate(curves.groupby("sample", sort=True)):
        colour = style.SERIES_COLOURS[k % len(style.SERIES_COLOURS)]
        first, valid = mine.iloc[0], bool(mine["valid"].iloc[0])
        axes.plot(mine["iteration"], mine["t"], color=colour, linewidth=0.9, zorder=3)
        axes.plot(
            mine["iteration"].iloc[-1:], mine["t"].iloc[-1:], marker="o" if valid else "X", color=colour, markersize=4.5,
            markeredgewidth=0.4, zorder=5, clip_on=False,
        )  # fmt: skip
        formula = re.sub(r"(\d+)", r"$_{\1}$", first["formula"])
        label = f"{formula}, {'valid' if valid else 'not valid'}"
        handles.append(Line2D([], [], color=colour, linewidth=1.1, marker="o" if valid else "X", markersize=4, label=label))
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1.02 * T)
    axes.set_xlabel("sampling step")
    axes.set_ylabel("time step $t$")
    axes.legend(handles=handles, loc="upper right", fontsize=6.5, handlelength=2.2)


def _draw_caps(axes: Axes, table: pd.DataFrame) -> None:
    curve, beside = in_order(table["method"])
    colours = {curve: style.colour("MoreRed-JT"), beside: style.colour("DDPM")}  # what the paper's MoreRed is here
    for quantity, (label, line, marker) in CURVES.items():
        mine = table[(table["method"] == curve) & (table["quantity"] == quantity)]
        axes.fill_between(mine["cap"], mine["low"], mine["high"], color=colours[curve], alpha=0.18, linewidth=0)
        axes.plot(
            mine["cap"], mine["percent"], color=colours[curve], linestyle=line, marker=marker, markersize=3.5, markeredgewidth=0,
            label=f"{curve}: {label}",
        )  # fmt: skip
        other = next(rows_of(table[(table["method"] == beside) & (table["quantity"] == quantity)]))
        axes.errorbar(
            [other.cap], [other.percent], yerr=[[max(other.percent - other.low, 0)], [max(other.high - other.percent, 0)]],
            color=colours[beside], marker=marker, markersize=4.5, capsize=2, linewidth=0, elinewidth=0.9, zorder=5,
            markerfacecolor=colours[beside] if quantity == "valid" else "white", label=f"{beside}: {label}",
        )  # fmt: skip
    caps = sorted(set(table["cap"]))
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(_apart(caps), [_short(cap) for cap in _apart(caps)])
    axes.set_ylim(0, 102)
    axes.set_xlabel("cap on the sampling steps")
    axes.set_ylabel("samples (%)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, ncols=2, fontsize=6.5, columnspacing=1.2)


def _apart(caps: list[int]) -> list[int]:
    """Ticks that do not run into each other on a logarithmic axis: each at least a seventh of it from the last one."""
    room = np.log(caps[-1] / caps[0]) / 7 if len(caps) > 1 else 0.0
    kept = [caps[0]]
    for cap in caps[1:]:
        if np.log(cap / kept[-1]) >= room:
            kept.append(cap)
    return kept


def _short(cap: int) -> str:
    return f"{cap // 1000} 000" if cap >= 1000 and cap % 1000 == 0 else str(cap)
