"""Our numbers beside the paper's: one table of what the paper states and what was measured, as CSV and as a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from morered.figures import html, published
from morered.figures.catalogue.fig3a import drawing as fig3a
from morered.files import atomic_path
from morered.metrics.tables import UNRELAXED, one_seed, rows_of, summarise, write_table

#: Columns of the table, in this order.
COLUMNS = ["place", "testset", "method", "quantity", "unit", "paper", "this_run", "n", "holds", "words", "reason"]

_KEY = ["testset", "method", "quantity"]
#: Measured for every method, whether or not the paper writes the number down -> where it belongs in the paper.
_ALWAYS = {"pearson_moved": "Section 3.1, Fig. 3a"} | dict.fromkeys(
    ("median_ratio", "failure_percent", "median_rmsd"), "Section 3.2, Fig. 4"
)
_HEADS = (("inputs", 0), ("method", 0), ("quantity", 0), ("paper", 1), ("this run", 1), ("n", 1), ("", 0))


def measured_relaxations(
    runs: pd.DataFrame, *, panels: Mapping[str, str] = fig3a.PANELS, steps: Mapping[str, int] | None = None
) -> pd.DataFrame:
    """What the tables of relaxations say about the paper's statements.

    Parameters
    ----------
    runs
        Tables of the relaxations (`morered.metrics.tables.read_runs`).
    panels, steps
        As for `morered.figures.catalogue.fig3a`.

    Returns
    -------
    DataFrame
        testset, method, quantity (a key of `published.QUANTITIES`), value, n (structures behind it).
    """
    runs = one_seed(runs)
    summary = summarise(runs)
    quantities = ("pearson_moved", "median_rmsd", "median_ratio", "failure_percent", "mean_steps", "median_steps")
    long = summary.melt(["testset", "method", "n"], list(quantities), "quantity", "value")
    rows = [long[[*_KEY, "value", "n"]]]
    rows.append(pd.DataFrame(_relative(summary), columns=[*_KEY, "value", "n"]))
    rows.append(pd.DataFrame(_input_range(runs), columns=[*_KEY, "value", "n"]))
    timed = runs[(runs["testset"] == published.NORMAL) & np.isfinite(runs["first_time"])]
    there = {panel: method for panel, method in panels.items() if method in set(timed["method"])}
    if there:
        first = fig3a.numbers(timed, published.NORMAL, there, steps=steps)[1]
        long = first.melt(["method", "n"], ["pearson_r", "zero"], "quantity", "value").assign(testset=published.NORMAL)
        rows.append(long[[*_KEY, "value", "n"]])
    return pd.concat([frame for frame in rows if len(frame)], ignore_index=True)


def measured_generation(table: str | PathLike[str]) -> pd.DataFrame:
    """What tableB1.csv says about the paper's statements; columns as of `measured_relaxations`, ``testset`` empty."""
    rows = pd.read_csv(table, keep_default_na=False, na_values=[""])
    rows = rows[rows["quantity"].isin(list(published.QUANTITIES))]
    return rows.assign(testset="")[[*_KEY, "value", "n"]]


def measured_steps(steps: str | PathLike[str], runs: pd.DataFrame) -> pd.DataFrame:
    """Times of single steps and of relaxations; columns as of `measured_relaxations`, ``testset`` empty.

    Parameters
    ----------
    steps
        tableD.steps.csv.
    runs
        Tables of the relaxations; what a step and a relaxation take without a network is taken from the normal-mode inputs.
    """
    timed = pd.read_csv(steps)
    rows = [timed.melt("method", ["seconds_per_step", "seconds_per_batch_step"], "quantity", "value").assign(n=1)]
    own = one_seed(runs[runs["testset"] == published.NORMAL])
    for method, group in own[~own["method"].isin(timed["method"])].groupby("method", sort=False):
        relaxed = group[~group["verdict"].isin(UNRELAXED)]
        values = {"seconds_per_relaxation": relaxed["seconds"].mean()}
        if relaxed["steps"].sum():
            values["seconds_per_step"] = relaxed["seconds"].sum() / relaxed["steps"].sum()
        rows.append(pd.DataFrame({"method": method, "quantity": list(values), "value": list(values.values()), "n": len(relaxed)}))
    return pd.concat(rows, ignore_index=True).assign(testset="")[[*_KEY, "value", "n"]]


def measured_trainings(trainings: str | PathLike[str], models: Mapping[str, list[str]]) -> pd.DataFrame:
    """Days of training and parameters (millions) of methods, of all their networks together; ``testset`` empty.

    Parameters
    ----------
    trainings
        tableD.training.csv.
    models
        Method or sampler -> its models.
    """
    table = pd.read_csv(trainings).set_index("model")
    rows = []
    for method, names in models.items():
        own = table.loc[[name for name in names if name in table.index]]
        if len(own):
            days, parameters = own["seconds"].sum(skipna=False) / 86400, own["parameters"].sum() / 1e6
            rows += [("", method, "training_days", days, len(own)), ("", method, "parameters", parameters, len(own))]
    return pd.DataFrame(rows, columns=[*_KEY, "value", "n"])


def measured_caps(table: str | PathLike[str], method: str) -> pd.DataFrame:
    """Valid and unique samples of a sampler at the caps that the paper names, from figB4.csv; ``testset`` empty."""
    rows = pd.read_csv(table)
    names = {cap: f"valid_unique_{cap}_percent" for cap in (500, 800)}
    rows = rows[(rows["quantity"] == "unique") & rows["cap"].isin(list(names)) & (rows["method"] == method)]
    return rows.assign(testset="", quantity=rows["cap"].map(names), value=rows["percent"])[[*_KEY, "value", "n"]]


def compare(measured: pd.DataFrame | Iterable[pd.DataFrame], reasons: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Join what was measured to what the paper states.

    Parameters
    ----------
    measured
        One frame or several with the columns testset, method, quantity, value and n.
    reasons
        Why statements are not measured, by `published.Statement.key`.

    Returns
    -------
    DataFrame
        `COLUMNS`. Each statement of the paper is there, with an empty ``this_run`` where nothing was measured; ratios, failures,
        RMSDs and distances moved of methods that the paper only draws, or does not have, follow with an empty ``paper``.
        ``holds`` is "yes" or "no" for bounds, else empty: how near is near enough is for the reader. ``reason`` says why there is
        no ``this_run``.

    Raises
    ------
    ValueError
        If a quantity is unknown, or was measured twice.
    """
    frames = [measured] if isinstance(measured, pd.DataFrame) else list(measured)
    joined = pd.concat([*frames, pd.DataFrame(columns=[*_KEY, "value", "n"])], ignore_index=True).dropna(subset=["value"])
    unknown = sorted(set(joined["quantity"]) - set(published.QUANTITIES))
    if unknown:
        raise ValueError(f"unknown quantities: {', '.join(unknown)}")
    twice = joined[joined.duplicated(_KEY)]
    if len(twice):
        raise ValueError(f"measured twice: {', '.join(' '.join(row) for row in twice[_KEY].itertuples(index=False))}")
    joined = joined.rename(columns={"value": "this_run"})
    paper = published.table()
    both = paper.merge(joined, how="left", on=_KEY, validate="one_to_one")
    beyond = joined[joined["quantity"].isin(list(_ALWAYS))].merge(paper[_KEY], how="left", on=_KEY, indicator=True)
    beyond = beyond[beyond["_merge"] == "left_only"].drop(columns="_merge")
    beyond = beyond.assign(place=beyond["quantity"].map(_ALWAYS), relation="", value=np.nan, words="")
    rows = pd.concat([both, beyond[both.columns]], ignore_index=True) if len(beyond) else both
    rows = _sorted(rows)
    return pd.DataFrame(
        {
            "place": rows["place"],
            "testset": rows["testset"],
            "method": rows["method"],
            "quantity": rows["quantity"].map(lambda q: published.QUANTITIES[q][0]),
            "unit": rows["quantity"].map(lambda q: published.QUANTITIES[q][1]),
            "paper": [_paper(r, v) for r, v in zip(rows["relation"], rows["value"], strict=True)],
            "this_run": rows["this_run"].astype(float),
            "n": rows["n"].astype("Int64"),
            "holds": [_holds(r, v, m) for r, v, m in zip(rows["relation"], rows["value"], rows["this_run"], strict=True)],
            "words": rows["words"],
            "reason": [_reason(row, reasons or {}) for row in rows_of(rows)],
        }
    )[COLUMNS].reset_index(drop=True)


def write(table: pd.DataFrame, stem: str | Path, *, title: str = "This run and the paper", note: str = "") -> None:
    """Write ``stem.csv``, ``stem.html``, a page that needs no other file, and ``stem.fragment.html``, what was measured for
    another page.

    ``note`` is a sentence above the table, such as on what data the run is.
    """
    stem = Path(stem)
    write_table(table, stem.with_name(f"{stem.name}.csv"))
    with atomic_path(stem.with_name(f"{stem.name}.html")) as path:
        path.write_text(page(table, title=title, note=note), encoding="utf-8")
    with atomic_path(stem.with_name(f"{stem.name}.fragment.html")) as path:
        path.write_text(fragment(table[table["this_run"].notna()]) + "\n", encoding="utf-8")


def page(table: pd.DataFrame, *, title: str, note: str = "") -> str:
    """The table as a complete HTML page; statements that this run does not measure come last, folded, with the reasons."""
    measured, rest = table[table["this_run"].notna()], table[table["this_run"].isna()]
    body = [f"<h1>{escape(title)}</h1>"]
    if note:
        body.append(f"<p class=note>{escape(note)}</p>")
    body.append(
        "<p>The paper's numbers are for QM7-X and QM9. “&gt;” and “&lt;” are bounds that the paper states, for which the table "
        "says whether they hold here; “≈” is the paper's rounding. An empty cell of the paper is a number that stands in a "
        "figure only, or that it does not have.</p>"
    )
    body.append(fragment(measured) if len(measured) else "<p>Nothing was measured.</p>")
    if len(rest):
        told = f"{len(rest)} statements that this run does not measure, and why"
        body.append(f"<details><summary>{told}</summary>{fragment(rest)}</details>")
    return html.document(title, "\n".join(body))


def fragment(table: pd.DataFrame) -> str:
    """The rows as an HTML table, grouped by their place in the paper."""
    heads = "".join(f"<th{' class=number' * number}>{name}</th>" for name, number in _HEADS)
    lines = [f"<table><thead><tr>{heads}</tr></thead>"]
    for place, rows in table.groupby("place", sort=False):
        lines.append(f'<tbody><tr class=place><th colspan="7">{escape(str(place))}</th></tr>')
        for row in rows_of(rows):
            unit = f" {escape(row.unit)}" if row.unit else ""
            paper = f"{escape(row.paper)}{unit}" if row.paper else ""
            run = f"{html.short(row.this_run)}{unit}" if pd.notna(row.this_run) else "–"
            words = "".join(f"<div class=words>{escape(text)}</div>" for text in (row.words, row.reason) if text)
            n = f"{row.n:,}".replace(",", " ") if pd.notna(row.n) else ""
            mark = {
                "yes": '<span class=yes title="the bound holds">✓</span>',
                "no": '<span class=no title="it does not hold">✗</span>',
            }
            lines.append(
                f"<tr><td>{escape(row.testset)}</td><td>{escape(row.method)}</td><td>{escape(row.quantity)}{words}</td>"
                f"<td class=number>{paper}</td><td class=number>{run}</td><td class=number>{n}</td>"
                f"<td>{mark.get(row.holds, '')}</td></tr>"
            )
        lines.append("</tbody>")
    return "\n".join([*lines, "</table>"])


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows by place, test set and method, each in the order of appearance, then by quantity."""
    keys = []
    for name in ("place", "testset", "method"):
        rank = {value: k for k, value in enumerate(rows[name].drop_duplicates())}
        keys.append(rows[name].map(rank))
    quantities = {name: k for k, name in enumerate(published.QUANTITIES)}
    return rows.iloc[np.lexsort([rows["quantity"].map(quantities), *reversed(keys)])]


def _relative(summary: pd.DataFrame) -> list[tuple[str, str, str, float, int]]:
    """Medians and failures on diffused inputs over those on normal-mode inputs, for each method that has both."""
    table = summary.set_index(["testset", "method"])
    rows = []
    for method in summary.loc[summary["testset"] == published.DIFFUSED, "method"]:
        if (published.NORMAL, method) not in table.index:
            continue
        diffused, normal = table.loc[(published.DIFFUSED, method)], table.loc[(published.NORMAL, method)]
        for quantity, name in (("median_ratio", "ratio_over_normal_modes"), ("failure_percent", "failures_over_normal_modes")):
            if normal[quantity] > 0:
                rows.append((published.DIFFUSED, method, name, diffused[quantity] / normal[quantity], int(diffused["n"])))
        difference = diffused["failure_percent"] - normal["failure_percent"]
        rows.append((published.DIFFUSED, method, "failures_minus_normal_modes", difference, int(diffused["n"])))
    return rows


def _input_range(runs: pd.DataFrame) -> list[tuple[str, str, str, float, int]]:
    """Whether the median RMSD of the diffused inputs lies within the range of the normal-mode inputs'."""
    inputs = runs.drop_duplicates(["testset", "id"])
    normal, diffused = (inputs.loc[inputs["testset"] == name, "rmsd_before"] for name in (published.NORMAL, published.DIFFUSED))
    if normal.empty or diffused.empty:
        return []
    return [
        (published.DIFFUSED, "", "within_input_range", float(normal.min() <= diffused.median() <= normal.max()), len(diffused))
    ]


def _reason(row: Any, reasons: Mapping[str, str]) -> str:
    if pd.notna(row.this_run):
        return ""
    return reasons.get(f"{row.testset}/{row.method}/{row.quantity}", "no molecule gave a number")


def _paper(relation: str, value: float) -> str:
    if not relation:
        return ""
    return f"{value:g}" if relation == "=" else f"{relation} {value:g}"


def _holds(relation: str, value: float, measured: float) -> str:
    if relation not in ("<", ">") or pd.isna(measured):
        return ""
    return "yes" if (measured < value if relation == "<" else measured > value) else "no"
