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
    body.append(_page_table(methods, FIRST, with_paper=True))
    if own["n"]:
        body.append(
            f"<p>Of the dataset's own {int(own['n'])} molecules of these compositions {html.short(own['value'])} % are perceived "
            "as valid.</p>"
        )
    body += ["<h2>Further measures</h2>", _page_table(methods, (*SECOND, "finished_percent", "mean_steps"), with_paper=False)]
    with atomic_path(stem.with_name(f"{stem.name}.html")) as path:
        path.write_text(html.document(title, "\n".join(body)), encoding="utf-8")


def make(
    tables: Mapping[str, str | PathLike[str]], known: str | PathLike[str], stem: str | Path, *, note: str = ""
) -> pd.DataFrame:
    """Make the table from the files of the samples' tables and of the known molecules; returns what tableB1.csv holds."""
    table = numbers({method: examine.read(path) for method, path in tables.items()}, examine.read(known))
    write(table, stem, note=note)
    return table


def _page_table(table: pd.DataFrame, quantities: tuple[str, ...], *, with_paper: bool) -> str:
    """One line for each method, a column for each quantity: value, interval and, where asked for, the paper's value."""
    names = QUANTITIES | {"finished_percent": "process ended", "mean_steps": "steps, mean"}
    cells = {(row.method, row.quantity): row for row in rows_of(table)}
    rows = []
    for method in in_order(table["method"]):
        row = {"method": method, "samples": cells[method, "valid_percent"].n}
        for quantity in quantities:
            found = cells[method, quantity]
            row[names[quantity]] = _with_interval(found.value, found.low, found.high)
            if with_paper:
                row[f"(paper) {names[quantity]}"] = found.paper
        rows.append(row)
    frame = pd.DataFrame(rows)
    heads = {name: "(paper)" if name.startswith("(paper)") else _head(name) for name in frame.columns}
    return html.table(frame, heads)


def _head(name: str) -> str:
    return name if name in ("method", "samples", "steps, mean") else f"{name} (%)"


def _with_interval(value: float, low: float, high: float) -> str:
    """A number with its interval behind it: 78.2 [77.4, 79.0]."""
    if pd.isna(value):
        return "–"
    return f"{value:.1f}" if pd.isna(low) else f"{value:.1f} [{low:.1f}, {high:.1f}]"
