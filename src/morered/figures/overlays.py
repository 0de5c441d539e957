"""Grids of molecules: minimum, input, and relaxed structures laid over both, as in figures 5 and B2."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from ase.data import chemical_symbols
from ase.formula import Formula
from matplotlib.figure import Figure
from numpy.typing import NDArray

from morered import storage
from morered.figures import style
from morered.figures.molecules import BALLS, STICKS, Look, draw_molecule, view
from morered.metrics.evaluate import evaluate
from morered.metrics.rmsd import superpose
from morered.metrics.tables import Run
from morered.structures import Structures

SUCCESS, FAILURE = "#009E73", "#D55E00"
#: Sticks of the input, the minimum and the relaxed structure: thinner ones on top, so that all are seen where they coincide.
INPUT = replace(STICKS, colour="#FFFFFF", stick=0.3)
MINIMUM = replace(STICKS, colour="#4D4D4D", stick=0.22)
RELAXED = replace(STICKS, stick=0.11)


@dataclass
class Panel:
    """One picture of a row: molecules (positions [N, 3] in Å, look) from back to front, a line of text below and its colour."""

    molecules: list[tuple[NDArray[np.floating], Look]]
    text: str = ""
    colour: str = "black"


@dataclass
class Row:
    """Pictures of one molecule, seen from the same side: atomic numbers [N], positions [N, 3] that set the view, panels."""

    numbers: NDArray[np.integer]
    reference: NDArray[np.floating]
    panels: list[Panel] = field(default_factory=list)


def panels_of(row: Mapping[str, Any]) -> Row:
    """The row of one example: minimum, input, and each method's structure laid over both.

    Parameters
    ----------
    row
        numbers [N], minimum and input (positions [N, 3] in Å), rmsd_before (Å), and results: method -> (positions, rmsd_after,
        ratio).
    """
    minimum = row["minimum"] - row["minimum"].mean(axis=0)
    start = superpose(row["input"], minimum)
    panels = [Panel([(minimum, BALLS)], formula(row["numbers"])), Panel([(start, BALLS)], f"{row['rmsd_before']:.2f} Å")]
    for positions, after, ratio in row["results"].values():
        colour = SUCCESS if ratio < 1 else FAILURE
        parts = [(start, INPUT), (minimum, MINIMUM)]
        if np.isfinite(positions).all():
            parts.append((superpose(positions, minimum), replace(RELAXED, colour=colour)))
        panels.append(Panel(parts, f"{after:.2f} Å" if np.isfinite(after) else "no structure", colour))
    return Row(row["numbers"], minimum, panels)


def examples(
    relaxed: Iterable[Run], inputs: Mapping[str, Any], minima: Mapping[str, Any], ids: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """What is to be drawn of these inputs, from files.

    Parameters
    ----------
    relaxed
        Test set, method, seed and file of the relaxed structures.
    inputs, minima
        Test set -> file of its structures, and of their minima.
    ids
        Test set -> the inputs to be drawn.

    Returns
    -------
    DataFrame
        testset, id, method, rmsd_before, rmsd_after, ratio, verdict, and numbers, minimum, input and positions as arrays.
    """
    rows = []
    for testset, method, _, path in relaxed:
        chosen = ids.get(testset, ())
        if not len(chosen):
            continue
        start, reference, result = storage.read(inputs[testset]), storage.read(minima[testset]), storage.read(path)
        result = result[result.index_of(chosen)]
        table = evaluate(result, start, reference, subset=True).set_index("id")
        for k, name in enumerate(chosen):
            given = start[start.index_of([name])]
            measured = table.loc[name]
            rows.append(
                {
                    "testset": testset,
                    "id": name,
                    "method": method,
                    **{key: measured[key] for key in ("rmsd_before", "rmsd_after", "ratio", "verdict")},
                    "numbers": np.array(given.numbers),
                    "minimum": _positions(reference, given.references),
                    "input": np.array(given.positions, float),
                    "positions": np.array(result.molecule(k).positions, float),
                }
            )
    return pd.DataFrame(rows)


def rows_for(drawn: pd.DataFrame) -> list[Row]:
    """A row of panels for each test set and id of `examples`, methods in their order."""
    rows = []
    for _, group in drawn.groupby(["testset", "id"], sort=False):
        first = group.iloc[0]
        results = {r["method"]: (r["positions"], r["rmsd_after"], r["ratio"]) for _, r in group.iterrows()}
        rows.append(panels_of({**first[["numbers", "minimum", "input", "rmsd_before"]], "results": results}))
    return rows


def table_of(drawn: pd.DataFrame) -> pd.DataFrame:
    """The numbers under the pictures: `examples` without the coordinates."""
    return drawn.drop(columns=["numbers", "minimum", "input", "positions"])


def draw_grid(
    rows: Sequence[Row], heads: Sequence[str], *, columns: int = 1, letters: Sequence[str] = (), sides: Sequence[str] = ()
) -> Figure:
    """Draw rows under each other, or in several columns of rows.

    ``letters`` stand beside the rows, and below them, upright, names (``sides``); empty ones are left out.
    """
    across = len(heads)
    lines = -(-len(rows) // columns)
    width = style.PAGE
    cell = (width - 0.25) / (across * columns + 0.25 * (columns - 1))
    figure = style.new_figure(width, 0.25 + lines * cell * 0.98)
    figure.set_layout_engine("none")
    left, top = 0.22 / width, 1 - 0.25 / figure.get_figheight()
    w, h = cell / width, cell * 0.98 / figure.get_figheight()
    head_size = min(7.0, 0.95 * 72 * cell / (0.58 * max(map(len, heads))))  # a letter is some 0.58 of its size wide
    for k, row in enumerate(rows):
        block, line = divmod(k, lines)
        rotation = view(row.numbers, row.reference)
        reach = _reach(row, rotation)
        for p, panel in enumerate(row.panels):
            x = left + (block * (across + 0.25) + p) * w
            axes = figure.add_axes((x, top - (line + 1) * h + 0.14 * h, w, 0.84 * h))
            for order, (positions, look) in enumerate(panel.molecules):
                draw_molecule(axes, row.numbers, positions, look=look, rotation=rotation, zorder=2 + order)
            axes.set_xlim(reach[0, 0], reach[1, 0])
            axes.set_ylim(reach[0, 1], reach[1, 1])
            axes.set_axis_off()
            figure.text(
                x + w / 2, top - (line + 1) * h + 0.05 * h, panel.text, color=panel.colour, ha="center", va="bottom", fontsize=6.5
            )
            if line == 0:
                figure.text(x + w / 2, top + 0.01, heads[p], ha="center", va="bottom", fontsize=head_size)
        if k < len(letters) and letters[k]:
            figure.text(0.005, top - line * h - 0.02, letters[k], fontweight="bold", fontsize=9.5, va="top")
        if k < len(sides) and sides[k]:
            below = top - line * h - 0.02 - 13 / (72 * figure.get_size_inches()[1])  # of the letter, whatever the height of a row
            figure.text(0.009, below, sides[k], fontsize=6, rotation=90, ha="left", va="top")
    return figure


def formula(numbers: NDArray[np.integer]) -> str:
    """The molecular formula in Hill's order, its numbers as subscripts."""
    parts = re.findall(r"([A-Z][a-z]?)(\d*)", Formula.from_list([chemical_symbols[z] for z in numbers]).format("hill"))
    return "".join(f"{symbol}$_{{{count}}}$" if count else symbol for symbol, count in parts)


def _reach(row: Row, rotation: NDArray) -> NDArray[np.float64]:
    """Limits [2, 2] in Å of all pictures of a row: what minimum and input need; a structure that flew apart is cut off."""
    seen = np.concatenate([positions @ rotation for panel in row.panels[:2] for positions, _ in panel.molecules])[:, :2]
    middle, half = (seen.max(axis=0) + seen.min(axis=0)) / 2, (seen.max(axis=0) - seen.min(axis=0)) / 2 + 0.55
    half = np.maximum(half, half.max() * np.array([1.0, 0.86]))  # square cells: never larger than the broader side
    return np.array([middle - half, middle + half])


def _positions(structures: Structures, names: NDArray[np.bytes_]) -> NDArray[np.float64]:
    return np.array(structures[structures.index_of(names)].positions, float)
