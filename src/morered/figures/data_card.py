"""A dataset in one figure: how it is split, what its molecules are made of, and how far its displaced structures are from the
minima.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from morered.datasets.splits import PARTS
from morered.extras import needs
from morered.figures import style
from morered.units import KCAL_MOL_PER_EV

with needs("figures"):
    import seaborn as sns

COLOURS = {"train": "#0072B2", "validation": "#E69F00", "test": "#009E73"}
_HEADS = {"train": "training", "validation": "validation", "test": "test"}
_GREY, _PLAIN = "#777777", "#6699CC"


def numbers(card: Mapping[str, Any]) -> pd.DataFrame:
    """What the figure shows as one long table: panel, series, x, value; histograms by the left edge of each bin, in the
    figure's units.
    """
    rows: list[dict[str, Any]] = []
    for part in PARTS:
        rows += [{"panel": "parts", "series": part, "x": key, "value": value} for key, value in card["parts"][part].items()]
        rows += [{"panel": "atoms", "series": part, "x": size, "value": n} for size, n in card["sizes"][part].items()]
        rows += [{"panel": "elements", "series": part, "x": symbol, "value": n} for symbol, n in card["elements"][part].items()]
        rows += [{"panel": "charges", "series": part, "x": charge, "value": n} for charge, n in card["charges"][part].items()]
    for key in ("kinds", "minima_of_graph"):
        rows += [{"panel": key, "series": "all", "x": x, "value": n} for x, n in card[key].items()]
    for key, factor in (
        ("displacement_energies", KCAL_MOL_PER_EV),
        ("displacement_rmsd", 1.0),
        ("displaced_forces", 1.0),
        ("minima_forces", 1.0),
    ):
        if card[key] is not None:
            histogram = card[key]["histogram"]
            rows += [
                {"panel": key, "series": "all", "x": edge * factor, "value": count}
                for edge, count in zip(histogram["edges"][:-1], histogram["counts"], strict=True)
            ]
    return pd.DataFrame(rows, columns=["panel", "series", "x", "value"])


@style.styled
def draw(card: Mapping[str, Any]) -> Figure:
    """The figure of a card: three panels about the minima, three about their kinds where they have any, and three about the
    displaced structures where there are any.
    """
    has_displaced, has_kinds = card["displacement_rmsd"] is not None, bool(card["kinds"])
    figure = style.new_figure(style.PAGE, 2.5 + 1.8 * (has_displaced + has_kinds))
    figure.suptitle(_title(card), fontsize=9.5, fontweight="bold", x=0.01, ha="left")
    rows = list(figure.subplots(1 + has_displaced + has_kinds, 3, squeeze=False))
    _parts(rows[0][0], card)
    _sizes(rows[0][1], card)
    _elements(rows[0][2], card)
    if has_kinds:
        _kinds(rows[1][0], card)
        _charges(rows[1][1], card)
        _conformers(rows[1][2], card)
    if has_displaced:
        _histogram(rows[-1][0], card["displacement_rmsd"], 1.0, "RMSD from the minimum (Å)", "Displaced structures: how far")
        _histogram(
            rows[-1][1],
            card["displacement_energies"],
            KCAL_MOL_PER_EV,
            "energy above the minimum (kcal/mol)",
            "How high in energy",
        )
        _forces(rows[-1][2], card)
    figure.supxlabel(_footer(card), fontsize=6.5, color=_GREY, x=0.01, ha="left", multialignment="left")
    return figure


def make(card: Mapping[str, Any], stem: str | Path) -> None:
    """Draw the figure of a card and write ``stem.png``, ``stem.pdf`` and ``stem.csv``."""
    style.save(draw(card), stem, numbers(card))


def _title(card: Mapping[str, Any]) -> str:
    graphs = sum(card["parts"][part]["graphs"] for part in PARTS)
    minima = sum(card["parts"][part]["minima"] for part in PARTS)
    displaced = sum(card["parts"][part]["displaced"] for part in PARTS)
    text = f"{card['name']}: {_thousands(minima)} minima of {_thousands(graphs)} molecular graphs"
    return text + (f", {_thousands(displaced)} displaced structures" if displaced else "")


def _footer(card: Mapping[str, Any]) -> str:
    """Two lines: levels of theory; what was left out, and digests."""
    duplicates, failures = card["duplicates"], card["failures"]["count"]
    levels = [text for text in (card["level"], card.get("labels", "").split(";")[0]) if text]
    parts = [f"{_thousands(duplicates['removed'])} duplicates removed"]
    parts += [f"failed: {_thousands(failures)}"] if failures else []
    parts += [f"distributions from a sample of {_thousands(card['sampled'])}"] if card["sampled"] else []
    parts += [f"split {card['split']['digest'][:12]}", f"structures {card['digests']['structures'][:12]}"]
    return "\n".join("  ·  ".join(line) for line in (levels, parts) if line)


def _parts(axes: Axes, card: Mapping[str, Any]) -> None:
    values = [card["parts"][part]["graphs"] for part in PARTS]
    axes.bar(range(3), values, color=[COLOURS[part] for part in PARTS], width=0.65)
    labels = []
    heads = ["minima"] + ["displaced"] * any(card["parts"][part]["displaced"] for part in PARTS)
    for x, part in enumerate(PARTS):
        counts = card["parts"][part]
        axes.annotate(
            _thousands(values[x]), (x, values[x]), xytext=(0, 2), textcoords="offset points", ha="center", va="bottom", fontsize=7
        )
        labels.append("\n".join([_HEADS[part], *(_thousands(counts[key]) for key in heads)]))
    axes.set_xticks(range(3), labels, fontsize=6.5)
    axes.annotate(  # what the numbers under the names count
        "\n".join(["", *heads]), (0, 0), xycoords="axes fraction", xytext=(-4, -6.5), textcoords="offset points", ha="right",
        va="top", fontsize=6.5, fontstyle="italic",
    )  # fmt: skip
    axes.set_ylim(0, max(1, *values) * 1.15)
    axes.set_ylabel("molecular graphs")
    axes.set_title("Split by molecular graph", loc="left")


def _sizes(axes: Axes, card: Mapping[str, Any]) -> None:
    every = [int(size) for part in PARTS for size in card["sizes"][part]]
    smallest, largest = min(every, default=0), max(every, default=0)
    for part in PARTS:
        counts = {int(size): n for size, n in card["sizes"][part].items()}
        if not counts:
            continue
        wide = max(1, (largest - smallest) // 25)  # atoms in a step
        edges = np.arange(smallest, largest + wide + 1, wide) - 0.5
        shares = np.histogram(list(counts), edges, weights=list(counts.values()))[0] * 100 / sum(counts.values()) / wide
        look: dict[str, Any] = {"element": "step", "fill": False, "color": COLOURS[part], "linewidth": 1.3}
        sns.histplot(x=(edges[1:] + edges[:-1]) / 2, weights=shares, bins=list(edges), label=_HEADS[part], ax=axes, **look)
    axes.set_xlabel("atoms, hydrogens included")
    axes.set_ylabel("minima (%)")
    axes.set_ylim(bottom=0)
    axes.set_title("Size of the molecules", loc="left")
    axes.legend(fontsize=6.5)


def _kinds(axes: Axes, card: Mapping[str, Any]) -> None:
    """Where the molecules are from, the most at the top."""
    names, counts = list(card["kinds"]), list(card["kinds"].values())
    axes.barh(range(len(names)), counts, color=_PLAIN)
    axes.set_yticks(range(len(names)), names, fontsize=6.5)
    axes.invert_yaxis()
    _label_ends(axes, counts)
    axes.set_xlabel("minima")
    axes.set_title("Kinds of molecules", loc="left")


def _charges(axes: Axes, card: Mapping[str, Any]) -> None:
    charges = sorted({int(charge) for part in PARTS for charge in card["charges"][part]})
    counts = [sum(card["charges"][part].get(str(charge), 0) for part in PARTS) for charge in charges]
    axes.bar(range(len(charges)), counts, color=_PLAIN, width=0.65)
    for x, count in enumerate(counts):
        axes.annotate(
            _thousands(count), (x, count), xytext=(0, 1), textcoords="offset points", ha="center", va="bottom", fontsize=6.5
        )
    axes.set_xticks(range(len(charges)), [f"{charge:+d}" if charge else "0" for charge in charges])
    axes.set_yscale("log")
    axes.set_ylim(0.7, 6 * max(1, *counts))
    axes.set_xlabel("total charge (e)")
    axes.set_ylabel("minima")
    axes.set_title("Charges", loc="left")


def _conformers(axes: Axes, card: Mapping[str, Any]) -> None:
    found = {int(n): graphs for n, graphs in card["minima_of_graph"].items()}
    most = 5
    numbers = [*range(1, most), most]
    counts = [found.get(n, 0) for n in numbers[:-1]] + [sum(graphs for n, graphs in found.items() if n >= most)]
    axes.bar(range(len(numbers)), counts, color=_PLAIN, width=0.65)
    for x, count in enumerate(counts):
        axes.annotate(
            _thousands(count), (x, count), xytext=(0, 1), textcoords="offset points", ha="center", va="bottom", fontsize=6.5
        )
    axes.set_xticks(range(len(numbers)), [*map(str, numbers[:-1]), f"{most}+"])
    axes.set_ylim(0, max(1, *counts) * 1.15)
    axes.set_xlabel("minima of a molecular graph")
    axes.set_ylabel("molecular graphs")
    axes.set_title("Conformers and isomers", loc="left")


def _label_ends(axes: Axes, counts: list[int]) -> None:
    """The number at the end of each horizontal bar."""
    for y, count in enumerate(counts):
        axes.annotate(_thousands(count), (count, y), xytext=(2, 0), textcoords="offset points", va="center", fontsize=6.5)
    axes.set_xlim(0, max(1, *counts) * 1.25)


def _elements(axes: Axes, card: Mapping[str, Any]) -> None:
    symbols = list(dict.fromkeys(symbol for part in PARTS for symbol in card["elements"][part]))
    width = 0.27
    for k, part in enumerate(PARTS):
        total = max(card["parts"][part]["minima"], 1)
        shares = [card["elements"][part].get(symbol, 0) * 100 / total for symbol in symbols]
        axes.bar(np.arange(len(symbols)) + (k - 1) * width, shares, width=width, color=COLOURS[part])
    many = len(symbols) > 8
    axes.set_xticks(range(len(symbols)), symbols, fontsize=6 if many else None)
    axes.set_ylabel("minima with the element (%)")
    if many:  # the rare ones would not be seen
        axes.set_yscale("log")
        axes.set_ylim(0.1, 130)
        axes.set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
        axes.tick_params(axis="x", length=0)
    else:
        axes.set_ylim(0, 105)
    axes.set_title("Elements", loc="left")


def _histogram(axes: Axes, values: Mapping[str, Any] | None, factor: float, label: str, title: str) -> None:
    axes.set_title(title, loc="left")
    axes.set_xlabel(label)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    if values is None:
        axes.text(0.5, 0.5, "not known", transform=axes.transAxes, ha="center", va="center", color=_GREY)
        axes.set_xticks([])
        return
    edges = np.array(values["histogram"]["edges"]) * factor
    middles = (edges[1:] + edges[:-1]) / 2
    look: dict[str, Any] = {"element": "step", "alpha": 1.0, "color": _PLAIN, "linewidth": 0}
    sns.histplot(x=middles, weights=values["histogram"]["counts"], bins=list(edges), ax=axes, **look)
    axes.set(xlabel=label, ylabel="")
    _median(axes, values["p50"] * factor)
    axes.set_ylim(0, 1.25 * max(values["histogram"]["counts"]))  # room for the words above


def _median(axes: Axes, value: float, colour: str = "black") -> None:
    axes.axvline(value, color=colour, linewidth=0.9)
    axes.annotate(
        f"median {value:.3g}", (value, 1), xycoords=("data", "axes fraction"), xytext=(3, -1), textcoords="offset points",
        fontsize=6.5, va="top", color=colour,
    )  # fmt: skip


def _forces(axes: Axes, card: Mapping[str, Any]) -> None:
    """Largest force on an atom: displaced structures, and the minima's median, which tells how good minima they are."""
    _histogram(axes, card["displaced_forces"], 1.0, "largest force on an atom (eV/Å)", "How large the forces")
    at_minima = card["minima_forces"]
    if at_minima is not None and card["displaced_forces"] is not None:
        axes.set_xlim(left=0)
        axes.annotate(
            f"minima:\nmedian {at_minima['p50']:.2g}", (at_minima["p50"], 0.0), xycoords=("data", "axes fraction"),
            xytext=(0.02, 0.88), textcoords="axes fraction", fontsize=6.5, color="#D55E00",
            arrowprops={"arrowstyle": "-|>", "color": "#D55E00", "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0)},
        )  # fmt: skip


def _thousands(value: int) -> str:
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
