"""RMSD ratios and failures of a sweep's entries over the number of minima, or of labels, that the networks learned from."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from morered.figures import style
from morered.figures.catalogue.ablation.drawing import PANELS, numbers
from morered.metrics.tables import in_order
from morered.models import weights

#: Dashes of the lines of test sets: whole, dashed, dotted, both.
_LINES: tuple[tuple[float, tuple[float, ...]], ...] = ((0, ()), (0, (4, 2)), (0, (1, 1.5)), (0, (4, 1.5, 1, 1.5)))


def learned_from(files: Mapping[str, str | PathLike[str]]) -> dict[str, tuple[str, int]]:
    """Method -> what its network learned from ("minima" or "labels") and how many, from the weights' headers.

    Raises
    ------
    ValueError
        If a header does not say how many.
    """
    found = {}
    for method, path in files.items():
        model = weights.load(path)
        count = model.header.training.get("molecules")
        if count is None:
            raise ValueError(f"{path}: its header does not say on how many molecules it was trained")
        found[method] = ("minima" if model.config.is_diffusion else "labels", int(count))
    return found


def table_of(entries: Mapping[str, pd.DataFrame], learned: Mapping[str, tuple[str, int]]) -> pd.DataFrame:
    """The table of the sweep (`ablation.drawing.numbers`), with the columns learned_from and amount before its numbers."""
    parts = []
    for entry, runs in entries.items():
        part = numbers({entry: runs})
        names = {str(method).split("@")[0]: str(method) for method in in_order(runs["method"])}
        known = [learned[names[method]] for method in part["method"]]
        part.insert(3, "learned_from", [kind for kind, _ in known])
        part.insert(4, "amount", [count for _, count in known])
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


@style.styled
def draw(table: pd.DataFrame, stem: str | Path, title: str = "") -> None:
    """Draw both panels, a line for each method and test set; writes stem.{png,pdf,csv}."""
    methods, testsets = in_order(table["method"]), in_order(table["testset"])
    colours, lines = style.palette(methods), dict(zip(testsets, _LINES, strict=False))
    figure = style.new_figure(style.PAGE, 2.7)
    for axes, (quantity, label) in zip(figure.subplots(1, 2), PANELS, strict=True):
        for method, testset in product(methods, testsets):
            part = table[(table["method"] == method) & (table["testset"] == testset)].sort_values("amount")
            value = part[quantity].to_numpy()
            spread = np.abs(np.stack([value - part[f"{quantity}_low"], part[f"{quantity}_high"] - value]))
            look = {"color": colours[method], "linestyle": lines.get(testset, _LINES[0]), "marker": "o", "markersize": 3.5}
            axes.errorbar(part["amount"], value, yerr=spread, elinewidth=0.9, linewidth=1.2, **look)
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("trained on")
        axes.set_ylabel(label)
        axes.grid(color="#E4E4E4", linewidth=0.6)
        axes.set_axisbelow(True)
    kinds = dict(zip(table["method"], table["learned_from"], strict=True))
    words = {"minima": "minima", "labels": "structures with energy and forces"}
    handles = [Line2D([], [], color=colours[method], marker="o", markersize=3.5) for method in methods]
    names = [f"{method}: {words[kinds[method]]}" for method in methods]
    handles += [Line2D([], [], color="#555555", linestyle=lines.get(testset, _LINES[0])) for testset in testsets]
    figure.legend(handles, [*names, *testsets], loc="outside lower center", ncols=2)
    if title:
        figure.suptitle(title, fontsize=8.5)
    style.save(figure, stem, table)


def make(
    entries: Mapping[str, pd.DataFrame], learned: Mapping[str, tuple[str, int]], stem: str | Path, title: str = ""
) -> pd.DataFrame:
    """Make the figure from each entry's tables of relaxations and what each method learned from; returns what the CSV holds."""
    table = table_of(entries, learned)
    draw(table, stem, title)
    return table
