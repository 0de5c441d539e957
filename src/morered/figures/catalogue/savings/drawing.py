"""What a relaxation saves: the steps of optimisations from raw inputs, from minima, and from what each method gives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from morered.energies.sampling import INPUT
from morered.figures import boxes, html, style
from morered.files import atomic_path
from morered.metrics.tables import in_order

#: Column of savings.csv -> its head in the page.
HEADS = {
    "calculator": "optimised with",
    "start": "from",
    "n": "structures",
    "converged_percent": "converged (%)",
    "median_steps": "steps, median",
    "steps_of_input": "steps, of those from the raw input",
    "mean_cycles": "SCF cycles, mean",
    "mean_seconds": "seconds, mean",
    "relaxation_seconds": "seconds of the relaxation before, mean",
    "same_minimum_percent": "reference's minimum (%)",
    "same_as_input_percent": "raw input's verdict on it (%)",
}


def numbers(runs: pd.DataFrame) -> pd.DataFrame:
    """What the optimisations of each calculator took from each start, in order of appearance.

    Parameters
    ----------
    runs
        `morered.energies.savings.table`.

    Returns
    -------
    DataFrame
        The columns of `HEADS`. Steps, cycles and seconds are those of optimisations that converged. ``steps_of_input`` is the
        median, over inputs, of the steps from this start over those from the raw input, where both converged.
        ``same_minimum_percent`` counts ends that are the minimum to which the reference leads, among the ends that are known;
        ``same_as_input_percent`` the inputs for which this start leads there if the raw input does, and not if it does not.
        Cycles are empty for calculators that do not tell theirs.
    """
    rows = []
    for calculator in in_order(runs["calculator"]):
        of_calculator = runs[runs["calculator"] == calculator]
        raw = of_calculator[of_calculator["source"] == INPUT].set_index("id")
        for start in in_order(of_calculator["source"]):
            group = of_calculator[of_calculator["source"] == start]
            done = group[group["status"] == "converged"]
            steps = _converged_steps(raw).reindex(done["id"]).to_numpy(float)
            known = group[group["same_minimum"] >= 0]
            other = raw["same_minimum"].reindex(known["id"]).to_numpy()
            both = other >= 0
            rows.append(
                {
                    "calculator": calculator,
                    "start": start,
                    "n": len(group),
                    "converged_percent": 100.0 * len(done) / len(group),
                    "median_steps": done["steps"].median(),
                    "steps_of_input": _median(done["steps"].to_numpy(float), steps),
                    "mean_cycles": done.loc[done["cycles"] >= 0, "cycles"].mean(),
                    "mean_seconds": done["seconds"].mean(),
                    "relaxation_seconds": group["relaxation_seconds"].mean(),
                    "same_minimum_percent": 100.0 * (known["same_minimum"] == 1).mean() if len(known) else np.nan,
                    "same_as_input_percent": 100.0 * (known["same_minimum"].to_numpy() == other)[both].mean()
                    if both.any()
                    else np.nan,
                }
            )
    return pd.DataFrame(rows, columns=list(HEADS))


@style.styled
def draw(runs: pd.DataFrame, table: pd.DataFrame, stem: str | Path, titles: Mapping[str, str]) -> None:
    """Draw a box of steps for each start, a panel for each calculator; writes savings.{png,pdf,csv}.

    Optimisations that hit the cap are drawn with the steps they took, those that failed are left out. ``titles`` are the
    calculators' names for people.
    """
    tried = runs[runs["status"] != "failed"]
    values = tried.assign(testset=tried["calculator"].map(titles), method=tried["source"], value=tried["steps"].astype(float))
    shown = table.assign(
        testset=table["calculator"].map(titles),
        method=table["start"],
        value=table["median_steps"],
        note=table["same_minimum_percent"].map(lambda value: "–" if pd.isna(value) else boxes.percent(value)),
    )
    there = set(zip(values["testset"], values["method"], strict=True))
    shown = shown[[key in there for key in zip(shown["testset"], shown["method"], strict=True)]]
    if shown.empty:
        raise ValueError("no optimisation could be carried out; the table of optimisations tells why")
    figure = boxes.draw_boxes(values, shown, ylabel="optimisation steps", head=("median", "same minimum"))
    style.save(figure, stem, table)


def write(table: pd.DataFrame, path: str | Path, titles: Mapping[str, str], note: str = "") -> None:
    """Write the table as a page."""
    title = "What a relaxation saves"
    named = table.assign(calculator=table["calculator"].map(titles))
    body = [f"<h1>{title}</h1>", f"<p class=note>{html.escape(note)}</p>" if note else "", html.table(named, HEADS)]
    with atomic_path(path) as temporary:
        temporary.write_text(html.document(title, "\n".join(body)), encoding="utf-8")


def make(runs: pd.DataFrame, stem: str | Path, page: str | Path, *, titles: Mapping[str, str], note: str = "") -> pd.DataFrame:
    """Make figure and page from a table of optimisations; returns what savings.csv holds."""
    table = numbers(runs)
    draw(runs, table, stem, titles)
    write(table, page, titles, note)
    return table


def _converged_steps(raw: pd.DataFrame) -> pd.Series:
    return raw.loc[raw["status"] == "converged", "steps"]


def _median(steps: np.ndarray, of_input: np.ndarray) -> float:
    """Median of the ratio where there is one: the raw input may be a minimum already, and take no step."""
    good = of_input > 0
    return float(np.median(steps[good] / of_input[good])) if good.any() else float("nan")
