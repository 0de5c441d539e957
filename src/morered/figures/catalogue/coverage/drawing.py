"""Convergence and energy left by element and by size."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from ase.data import atomic_numbers

from morered.figures import style
from morered.metrics.endings import coverage
from morered.metrics.tables import in_order

_QUANTITIES = {"converged_percent": "converged (%)", "median_energy_left": "energy left, median (kcal/mol)"}
_PANELS = {"element": "molecules with the element", "atoms": "atoms, from"}


@style.styled
def draw(endings: pd.DataFrame, stem: str | Path) -> None:
    """Draw; writes coverage.{png,pdf,csv}."""
    table = coverage(endings)
    methods = in_order(table["method"])
    colours = style.palette(methods)
    figure = style.new_figure(style.PAGE, 4.2)
    grid = figure.subplots(2, 2, squeeze=False)
    for column, (panel, label) in enumerate(_PANELS.items()):
        part = table[table["panel"] == panel]
        order = sorted(set(part["series"]), key=lambda text: atomic_numbers.get(text) or int(text))
        for axes, (quantity, title) in zip(grid[:, column], _QUANTITIES.items(), strict=True):
            for method in methods:
                values = part[part["method"] == method].set_index("series")[quantity].reindex(order)
                axes.plot(range(len(order)), values, "o-", ms=3, color=colours[method], label=method)
            axes.set_xticks(range(len(order)), order)
            axes.set_ylabel(title)
        grid[1, column].set_xlabel(label)
        grid[1, column].set_yscale("log")
    grid[0, 0].legend(fontsize=6.5)
    style.save(figure, stem, table)
