"""Energy left against milliseconds, both logarithmic."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.lines import Line2D

from morered.figures import style
from morered.metrics.tables import in_order

#: Energies below this are drawn at it, kcal/mol: of the reference itself nothing is left.
LEAST = 1e-2
#: Panels beside each other, at most.
COLUMNS = 4


def numbers(endings: pd.DataFrame) -> pd.DataFrame:
    """Quartiles of energy left (kcal/mol) and of milliseconds: testset, method, n, and energy and ms with _25, _50 and _75."""
    rows = []
    for (testset, method), group in endings[endings["fell"] == 1].groupby(["testset", "method"], sort=False):
        row: dict[str, object] = {"testset": testset, "method": method, "n": len(group)}
        for name, values in (("energy", group["energy_left"].clip(lower=LEAST)), ("ms", 1e3 * group["seconds"])):
            row |= {f"{name}_{100 * q:.0f}": values.quantile(q) for q in (0.25, 0.5, 0.75)}
        rows.append(row)
    return pd.DataFrame(rows)


@style.styled
def draw(endings: pd.DataFrame, stem: str | Path) -> None:
    """Draw; writes energyLeft.{png,pdf,csv}."""
    table = numbers(endings)
    testsets = in_order(table["testset"])
    colours = style.palette(in_order(table["method"]))
    columns = min(len(testsets), COLUMNS)
    rows_of_panels = -(-len(testsets) // columns)
    figure = style.new_figure(style.PAGE, 0.6 + 1.9 * rows_of_panels)
    grid = figure.subplots(rows_of_panels, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, testset in zip(grid, testsets, strict=False):
        for row in table[table["testset"] == testset].to_dict("records"):
            at = (row["ms_50"], row["energy_50"])
            errors = [[[at[k] - row[f"{n}_25"]], [row[f"{n}_75"] - at[k]]] for k, n in enumerate(("ms", "energy"))]
            axes.errorbar(*at, xerr=errors[0], yerr=errors[1], fmt="o", ms=4, lw=0.8, color=colours[row["method"]])
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(testset)
    for axes in grid[len(testsets) :]:
        axes.set_axis_off()
    handles = [Line2D([], [], marker="o", markersize=4, linestyle="", color=colour) for colour in colours.values()]
    figure.legend(handles, list(colours), loc="outside upper center", ncols=len(colours))
    figure.supxlabel("ms a molecule", fontsize=8)
    figure.supylabel("energy left (kcal/mol)", fontsize=8)
    style.save(figure, stem, table)
