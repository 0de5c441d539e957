"""What a relaxation saves: the gradients of optimisations from raw inputs, from minima, and from what each method gives."""

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
    "testset": "inputs",
    "start": "from",
    "n": "structures",
    "converged_percent": "converged (%)",
    "median_gradients": "gradients, median",
    "mean_gradients": "gradients, mean",
    "gradients_of_input": "gradients, of those from the raw input",
    "mean_cycles": "SCF cycles, mean",
    "mean_seconds": "seconds, mean",
    "relaxation_seconds": "seconds of the relaxation before, mean",
    "same_minimum_percent": "reference's minimum (%)",
    "same_as_input_percent": "raw input's verdict on it (%)",
}


def numbers(runs: pd.DataFrame) -> pd.DataFrame:
    """What the optimisations of each calculator and test set took from each start, in order of appearance.

    Parameters
    ----------
    runs
        `morered.energies.savings.table`.

    Returns
    -------
    DataFrame
        The columns of `HEADS`. Gradients, cycles and seconds are those of optimisations that converged. ``gradients_of_input`` is
        the median, over inputs, of the gradients from this start over those from the raw input, where both converged.
        ``same_minimum_percent`` counts ends that are the minimum to which the reference leads, among the ends that are known;
        ``same_as_input_percent`` the inputs for which this start leads there if the raw input does, and not if it does not.
        Cycles are empty for calculators that do not tell theirs.
    """
    rows = []
    for (calculator, testset), panel in runs.groupby(["calculator", "testset"], sort=False):
        raw = panel[panel["source"] == INPUT].set_index("id")
        for start in in_order(panel["source"]):
            group = panel[panel["source"] == start]
            done = group[group["status"] == "converged"]
            of_input = _converged(raw).reindex(done["id"]).to_numpy(float)
            known = group[group["same_minimum"] >= 0]
            other = raw["same_minimum"].reindex(known["id"]).to_numpy()
            both = other >= 0
            rows.append(
                {
                    "calculator": calculator,
                    "testset": testset,
                    "start": start,
                    "n": len(group),
                    "converged_percent": 100.0 * len(done) / len(group),
                    "median_gradients": done["gradients"].median(),
                    "mean_gradients": done["gradients"].mean(),
                    "gradients_of_input": _median(done["gradients"].to_numpy(float), of_input),
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
    """Draw a box of gradients for each start, a panel for each calculator and test set; writes savings.{png,pdf,csv}.

    Optimisations that hit the cap are drawn with the gradients they took, those that failed are left out. ``titles`` are the
    calculators' names for people.
    """
    tried = runs[runs["status"] != "failed"]
    values = tried.assign(testset=_panels(tried, titles), method=tried["source"], value=tried["gradients"].astype(float))
    shown = table.assign(
        testset=_panels(table, titles),
        method=table["start"],
        value=table["median_gradients"],
        note=table["same_minimum_percent"].map(lambda value: "–" if pd.isna(value) else boxes.percent(value)),
    )
    there = set(zip(values["testset"], values["method"], strict=True))
    shown = shown[[key in there for key in zip(shown["testset"], shown["method"], strict=True)]]
    if shown.empty:
        raise ValueError("no optimisation could be carried out; the table of optimisations tells why")
    figure = boxes.draw_boxes(values, shown, ylabel="gradients", head=("median", "same minimum"))
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


def _panels(rows: pd.DataFrame, titles: Mapping[str, str]) -> pd.Series:
    """Head of the panel of each row: the calculator, and the test set where there are several."""
    names = rows["calculator"].map(titles)
    return names if rows["testset"].nunique() == 1 else names + "\n" + rows["testset"]


def _converged(raw: pd.DataFrame) -> pd.Series:
    return raw.loc[raw["status"] == "converged", "gradients"]


def _median(gradients: np.ndarray, of_input: np.ndarray) -> float:
    """Median of the ratio where the optimisation of the raw input converged too."""
    good = of_input > 0
    return float(np.median(gradients[good] / of_input[good])) if good.any() else float("nan")
