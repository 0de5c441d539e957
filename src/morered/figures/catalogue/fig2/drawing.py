"""Figure 2: imidazole through the forward process and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.patches import FancyArrowPatch

from morered.figures import style
from morered.figures.molecules import draw_molecule, view


@style.styled
def draw(table: pd.DataFrame, stem: str | Path) -> None:
    """Draw the processes under each other, time from left to right in both; writes fig2.{png,pdf,csv}."""
    processes = list(dict.fromkeys(table["process"]))
    steps = list(dict.fromkeys(table["t"]))
    first = table[(table["process"] == "forward") & (table["t"] == steps[0])]
    rotation = view(first["number"], first[["x", "y", "z"]])
    there = table[table["process"] == "forward"]
    # One scale for all, set by the forward process: what flew apart on the way back is cut off.
    half = max(float(np.abs(there[["x", "y", "z"]].to_numpy() @ rotation)[:, :2].max()) + 0.45, 2.0)
    cell = style.PAGE / len(steps)
    figure = style.new_figure(style.PAGE, len(processes) * (cell + 0.42) + 0.26)
    figure.set_layout_engine("none")
    height = figure.get_figheight()
    titles = {
        "forward": r"forward diffusion process $q(x_t\,|\,x_{t-1})$",
        "reverse": r"learned reverse process $p_\theta(x_{t-1}\,|\,x_t)$",
    }
    for line, process in enumerate(processes):
        top = height - line * (cell + 0.42)
        y = (top - 0.3) / height
        tail, head = (0.02, 0.98) if process == "forward" else (0.98, 0.02)
        arrow = FancyArrowPatch(
            (tail, y), (head, y), transform=figure.transFigure, arrowstyle="-|>", mutation_scale=9, color="#555555"
        )
        figure.add_artist(arrow)
        figure.text(0.5, (top - 0.24) / height, titles[process], ha="center", va="bottom", fontsize=8.5)
        for k, t in enumerate(steps):
            axes = figure.add_axes((k / len(steps), (top - 0.34 - cell) / height, 1 / len(steps), cell / height))
            mine = table[(table["process"] == process) & (table["t"] == t)]
            axes.set_axis_off()
            if mine.empty:
                axes.text(0.5, 0.5, "broke off", transform=axes.transAxes, ha="center", va="center", color="#777777", fontsize=7)
                continue
            draw_molecule(axes, mine["number"], mine[["x", "y", "z"]], rotation=rotation)
            axes.set_xlim(-half, half)
            axes.set_ylim(-half, half)
    for k, t in enumerate(steps):
        figure.text((k + 0.5) / len(steps), 0.03, f"$t$ = {t}", ha="center", va="bottom")
    style.save(figure, stem, table)
