"""Tables as HTML pages that need no other file."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np
import pandas as pd

from morered.metrics.tables import rows_of

_CSS = """
body { font: 15px/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: #1a1a1a; max-width: 62rem; }
body { margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .5rem; }
.note { background: #fff6e0; border-left: 4px solid #e69f00; padding: .5rem .8rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .28rem .6rem; vertical-align: top; border-bottom: 1px solid #e4e4e4; }
thead th { border-bottom: 2px solid #555; }
tr.place th { background: #f3f3f3; padding-top: .5rem; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.words { color: #666; font-size: .85em; }
.yes { color: #007a5a; } .no { color: #b03000; }
details { margin-top: 1.5rem; } summary { cursor: pointer; }
"""


def document(title: str, body: str) -> str:
    """A complete page around ``body`` (HTML)."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_CSS}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def table(frame: pd.DataFrame, heads: Mapping[str, str]) -> str:
    """Columns of a frame as an HTML table; numbers are shown with three significant digits and stand on the right.

    Parameters
    ----------
    frame
        The rows.
    heads
        Column -> its head; columns without one are left out.
    """
    right = {name: pd.api.types.is_numeric_dtype(frame[name]) for name in heads}
    cell = {True: "<{0} class=number>{1}</{0}>", False: "<{0}>{1}</{0}>"}
    lines = [
        "<table><thead><tr>" + "".join(cell[right[n]].format("th", escape(text)) for n, text in heads.items()) + "</tr></thead>"
    ]
    for row in rows_of(frame[list(heads)]):
        texts = [short(value) if right[name] else escape(str(value)) for name, value in zip(heads, row, strict=True)]
        lines.append("<tr>" + "".join(cell[right[n]].format("td", text) for n, text in zip(heads, texts, strict=True)) + "</tr>")
    return "\n".join([*lines, "</table>"])


def short(value: float) -> str:
    """Three significant digits; whole and large numbers as they are; a dash for none."""
    if pd.isna(value):
        return "–"
    if np.isinf(value):
        return "∞"
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
