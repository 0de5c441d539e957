"""The table of where results end."""

from __future__ import annotations

from html import escape
from pathlib import Path

import pandas as pd

from morered.figures import html
from morered.files import atomic_path
from morered.metrics.endings import QUANTITIES, summarise
from morered.metrics.tables import write_table

#: Column -> its head in the page.
HEADS = {
    "testset": "inputs",
    "method": "method",
    "n": "molecules",
    "converged_percent": "converged (%)",
    "median_energy_left": "energy left, median (kcal/mol)",
    "median_rmsd_left": "distance left, median (Å)",
    "nearer_percent": "nearer than the input (%)",
    "mean_calls": "gradients to the minimum, mean",
    "calls_ratio": "of those from MMFF94",
    "median_ms": "ms, median",
}


def make(endings: pd.DataFrame, stem: Path, page: str, *, baseline: str | None, note: str = "") -> pd.DataFrame:
    """Write the CSV file and the page; limits stand in words beside the numbers there."""
    table = summarise(endings, baseline)
    write_table(table, f"{stem}.csv")
    shown = table.assign(**{name: [_with_limits(row, name) for _, row in table.iterrows()] for name in QUANTITIES})
    body = "<h1>Where results end</h1>" + (f"<p class=note>{escape(note)}</p>" if note else "") + html.table(shown, HEADS)
    with atomic_path(page) as temporary:
        temporary.write_text(html.document("Where results end", body), encoding="utf-8")
    return table


def _with_limits(row: pd.Series, name: str) -> str:
    return f"{html.short(row[name])} ({html.short(row[f'{name}_low'])} to {html.short(row[f'{name}_high'])})"
