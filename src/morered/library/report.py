"""Joins the chunks of a library into one SDF and one table, and writes a page with coverage, reasons and the worst molecules.

The worst are those that did not converge, some of each verdict, and of the others those that moved furthest.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from html import escape
from typing import Any

import numpy as np

from morered import storage
from morered.escaping import text_of
from morered.files import atomic_path
from morered.formats import Record
from morered.items import items
from morered.library.batch import TABLE
from morered.library.run import relax_library
from morered.pages import write_page
from morered.relaxation.codes import VERDICTS
from morered.relaxation.verdicts.columns import AUTO, OF_METHODS
from morered.structures import Column, Structures

#: Molecules of each verdict that the page shows.
WORST = 60
_BINS = (10, 20, 30, 40, 60, 80, 100)
_REASONS = 12


@dataclass
class Overview:
    """Counts of a library's table.

    Attributes
    ----------
    verdicts
        Verdict -> molecules.
    sizes
        Upper end of a range of atoms (None: more) -> verdict -> molecules.
    reasons
        Verdict and reason, with numbers and names left out -> molecules, of those that did not converge.
    worst
        Rows of the table that are shown, verdict -> rows.
    """

    verdicts: Counter[str] = field(default_factory=Counter)
    sizes: dict[int | None, Counter[str]] = field(default_factory=dict)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    worst: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    @property
    def molecules(self) -> int:
        """How many there are."""
        return self.verdicts.total()


def gather(parts: Sequence[tuple[str, str]], molecules: str | os.PathLike[str], table: str | os.PathLike[str]) -> None:
    """Put chunks (SDF, table) one after another; the SDF is compressed as they are, since compressed parts are one file."""
    with atomic_path(molecules) as temporary, temporary.open("wb") as out:
        for path, _ in parts:
            with open(path, "rb") as part:
                shutil.copyfileobj(part, out, 1 << 20)
    with atomic_path(table) as temporary, temporary.open("wb") as out:
        for k, (_, path) in enumerate(parts):
            with open(path, "rb") as part:
                head = part.readline()
                if k == 0:
                    out.write(head)
                shutil.copyfileobj(part, out, 1 << 20)


def overview(table: str | os.PathLike[str]) -> Overview:
    """Read a table line by line."""
    found = Overview(sizes={end: Counter() for end in (*_BINS, None)})
    far: list[tuple[float, int, dict[str, str]]] = []
    for k, row in enumerate(_rows(table)):
        verdict = row["verdict"]
        found.verdicts[verdict] += 1
        found.sizes[next((end for end in _BINS if int(row["n_atoms"]) <= end), None)][verdict] += 1
        if verdict == "converged":
            entry = (float(row["moved"] or 0.0), k, row)
            if len(far) < WORST:
                heappush(far, entry)
            else:
                heappushpop(far, entry)
            continue
        found.reasons[verdict, _kind_of(row["reason"])] += 1
        rows = found.worst.setdefault(verdict, [])
        if len(rows) < WORST:
            rows.append(row)
    found.worst["converged"] = [row for _, _, row in sorted(far, key=lambda entry: -entry[0])]
    return found


def write_report(
    path: str | os.PathLike[str],
    source: str,
    molecules: str | os.PathLike[str],
    table: str | os.PathLike[str],
    *,
    title: str,
    method: str,
    seed: int = 0,
) -> Overview:
    """Write the page of a library.

    Parameters
    ----------
    path
        The page.
    source
        The file that the library came from: the inputs of the molecules shown are taken from there.
    molecules, table
        What was made of it, see `gather`.
    title, method
        Texts at the top.
    seed
        That the library was relaxed with.
    """
    found = overview(table)
    rows = [row for verdict in ("failed", "changed", "step-cap", "refused", "converged") for row in found.worst.get(verdict, ())]
    names = {row["name"] for row in rows}
    after = {item.name: item.record() for item in items([str(molecules)]) if item.name in names}
    before = {item.name: item.record(seed) for item in items([source]) if item.name in names}
    inputs = [_either(before.get(row["name"]), row) for row in rows]
    results = [_either(after.get(row["name"]), row) for row in rows]
    write_page(
        path,
        _structures(inputs),
        _judged(_structures(results), rows),
        title=title,
        method=f"{method} · of {found.molecules} molecules the {len(rows)} that need a look",
        summary=fragment(found),
    )
    return found


def write_summary(path: str | os.PathLike[str], source: str, table: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
    """Write the counts of a library's table as JSON, with what they were made by and from."""
    found = overview(table)
    summary = {
        "molecules": found.molecules,
        "verdicts": dict(found.verdicts),
        "provenance": storage.provenance(relax_library, config=settings, parents=[source]),
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")


def fragment(found: Overview) -> str:
    """Coverage, verdicts by size, and reasons, as HTML."""
    verdicts = [verdict for verdict in dict.fromkeys(VERDICTS.values()) if found.verdicts[verdict]]
    total = max(1, found.molecules)
    heads = "".join(f"<th>{verdict}</th>" for verdict in verdicts)
    lines = []
    low = 0
    for end, counts in found.sizes.items():
        label = f"more than {low}" if end is None else f"{low + 1} to {end}" if low else f"up to {end}"
        low = low if end is None else end
        if counts.total():
            lines.append(_line(label, counts.total(), *(_share(counts[verdict], counts.total()) for verdict in verdicts)))
    lines.append(_line("all", found.molecules, *(_share(found.verdicts[verdict], total) for verdict in verdicts)))
    reasons = "".join(
        f"<li>{count} {escape(verdict)}: {escape(reason)}</li>"
        for (verdict, reason), count in found.reasons.most_common(_REASONS)
    )
    more = len(found.reasons) - _REASONS
    return (
        f"<p><b>{_share(found.verdicts['converged'], total)}</b> of {found.molecules} molecules converged.</p>"
        f"<table><thead><tr><th>atoms</th><th>molecules</th>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        + (f"<ul>{reasons}</ul>" if reasons else "")
        + (f"<p>and {more} more kinds of reasons</p>" if more > 0 else "")
    )


def _rows(table: str | os.PathLike[str]) -> Iterator[dict[str, str]]:
    with open(table, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {name: text_of(value) for name, value in row.items()}


def _kind_of(reason: str) -> str:
    """A reason without what is particular to one molecule: its place in a file, what is quoted, and numbers."""
    reason = reason.split("): ", 1)[-1] if ", molecule " in reason else reason
    return re.sub(r"\d+(\.\d+)?(e-?\d+)?", "…", re.sub(r"'[^']*'|\"[^\"]*\"", "…", reason))


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.1f} %" if count else "–"


def _line(*cells: object) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _either(record: Record | None, row: Mapping[str, str]) -> Record:
    """A record with atoms, or one without any of the molecule of this row."""
    if record is not None and record.numbers is not None and record.positions is not None:
        return record
    return Record(row["name"], 0, "", np.empty(0, np.uint8), np.empty((0, 3)))


def _structures(records: Sequence[Record]) -> Structures:
    numbers = [record.numbers for record in records if record.numbers is not None]
    return Structures.build(numbers, [r.positions for r in records if r.positions is not None], [r.name for r in records])


def _judged(structures: Structures, rows: Sequence[Mapping[str, str]]) -> Structures:
    """Results with the columns that a page shows, from their rows of the table."""
    columns = {"seconds": Column(np.full(len(rows), np.nan), "s")}
    for name in TABLE[2:]:
        texts = [row[name] for row in rows]
        values: Any
        if name in OF_METHODS and not any(texts):
            continue
        if name in ("verdict", AUTO, "reason"):
            values = np.array([text.encode() for text in texts], dtype=np.bytes_).reshape(len(texts))
        elif name == "steps":
            values = np.array(texts, dtype=np.int32)
        elif re.fullmatch(r"first_.*|last_.*|moved|expected_.*|closest_contact", name):
            values = np.array([float(text) if text else np.nan for text in texts])
        else:
            values = np.array(texts, dtype=np.int8)
        columns[name] = Column(values)
    return structures.with_columns(columns)
