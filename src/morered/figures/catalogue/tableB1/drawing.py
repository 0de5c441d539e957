"""Table B1: validity, uniqueness and novelty of generated molecules, and further measures of them, beside the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import pandas as pd

from morered.figures import html, published
from morered.figures.style import stem_of
from morered.files import atomic_path
from morered.generation import examine
from morered.generation.quality import QUANTITIES, quality, share
from morered.metrics.statistics import mean
from morered.metrics.tables import in_order, rows_of, write_table

#: Columns of the CSV: one line for each method and quantity.
COLUMNS = ["method", "quantity", "value", "low", "high", "n", "paper"]
#: Quantities of the first table of the page, as in the paper, and of the second.
FIRST = ("valid_percent", "valid_unique_percent", "valid_unique_novel_percent")
SECOND = tuple(name for name in QUANTITIES if name not in FIRST)


def numbers(tables: Mapping[str, pd.DataFrame], known: pd.DataFrame) -> pd.DataFrame:
    """Every quantity of every method.

    Parameters
    ----------
    tables
        Method -> table of its samples (`morered.generation.examine.examine`).
    known
        Names of the dataset's molecules of the same compositions.

    Returns
    -------
    DataFrame
        `COLUMNS`: those of `morered.generation.quality.QUANTITIES` in percent, finished_percent (neither at the cap nor broken
        off) and mean_steps, with 95 % confidence intervals by bootstrap; ``paper`` is empty where it has no number. Last, as
        method "", what share of the dataset's own molecules is perceived as valid: the most that can be expected.
    """
    paper = published.table().set_index(["method", "quantity"])["value"]
    rows = []
    for method, table in tables.items():
        found = quality(table, known)
        found["finished_percent"] = share(table["verdict"] == "converged")
        found["mean_steps"] = mean(table.loc[table["verdict"].isin(["converged", "step-cap"]), "steps"])
        rows += [
            (method, quantity, *estimate, paper.get((method, quantity), float("nan"))) for quantity, estimate in found.items()
        ]
    rows.append(("", "valid_percent", *share(known["smiles"] != ""), float("nan")))
    return pd.DataFrame(rows, columns=COLUMNS)


def write(table: pd.DataFrame, stem: str | Path, *, title: str = "Generated molecules", note: str = "") -> None:
    """Write ``stem.csv`` and ``stem.html``; ``note`` is a sentence above the table."""
    stem = stem_of(stem)
    write_table(table, stem.with_name(f"{stem.name}.csv"))
    methods = table[table["method"] != ""]
    own = table[table["method"] == ""].iloc[0]
    body = [f"<h1>{html.escape(title)}</h1>", f"<p class=note>{html.escape(note)}</p>" if note else ""]
    body.append(_page_table(methods))
    if own["n"]:
        body.append(
            f"<p>Of the dataset's own {int(own['n'])} molecules of these compositions {html.short(own['value'])} % are perceived "
            "as valid.</p>"
        )
    body += ["<h2>Further measures</h2>", _further(methods)]
    with atomic_path(stem.with_name(f"{stem.name}.html")) as path:
        path.write_text(html.document(title, "\n".join(body)), encoding="utf-8")


def make(
    tables: Mapping[str, str | PathLike[str]], known: str | PathLike[str], stem: str | Path, *, note: str = ""
) -> pd.DataFrame:
    """Make the table from the files of the samples' tables and of the known molecules; returns what tableB1.csv holds."""
    table = numbers({method: examine.read(path) for method, path in tables.items()}, examine.read(known))
    write(table, stem, note=note)
    return table


def _page_table(table: pd.DataFrame) -> str:
    """The paper's table: one line for each method, value and interval of each quantity with the paper's value behind it."""
    cells = {(row.method, row.quantity): row for row in rows_of(table)}
    rows = []
    for method in in_order(table["method"]):
        row = {"method": method, "samples": cells[method, "valid_percent"].n}
        for quantity in FIRST:
            found = cells[method, quantity]
            row |= {quantity: _with_interval(found.value, found.low, found.high), f"paper_{quantity}": found.paper}
        rows.append(row)
    heads = {"method": "method", "samples": "samples"}
    for quantity in FIRST:
        heads |= {quantity: f"{QUANTITIES[quantity]} (%)", f"paper_{quantity}": "(paper)"}
    return html.table(pd.DataFrame(rows), heads)


def _further(table: pd.DataFrame) -> str:
    """All other quantities: one line for each, a column for each method."""
    cells = {(row.method, row.quantity): row for row in rows_of(table)}
    methods = in_order(table["method"])
    names = {name: f"{QUANTITIES[name]} (%)" for name in SECOND}
    names |= {"finished_percent": "process ended before the cap (%)", "mean_steps": "steps, mean"}
    rows = []
    for quantity, text in names.items():
        found = {method: cells[method, quantity] for method in methods}
        rows.append({"quantity": text, **{m: _with_interval(one.value, one.low, one.high) for m, one in found.items()}})
    return html.table(pd.DataFrame(rows), {"quantity": "", **{method: method for method in methods}})


def _with_interval(value: float, low: float, high: float) -> str:
    """A number with its interval behind it: 78.2 [77.4, 79.0]."""
    if pd.isna(value):
        return "–"
    return f"{value:.1f}" if pd.isna(low) else f"{value:.1f} [{low:.1f}, {high:.1f}]"
