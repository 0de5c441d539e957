"""Computation time (Appendix D): steps and seconds of each method, measured and as the paper states them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from morered.figures import html, published
from morered.figures.style import stem_of
from morered.files import atomic_path
from morered.metrics.tables import UNRELAXED, one_seed, write_table

#: Column -> head of the page.
HEADS = {
    "testset": "inputs",
    "method": "method",
    "n": "relaxed",
    "unrelaxed": "refused or failed",
    "mean_steps": "steps, mean",
    "paper_mean_steps": "(paper)",
    "median_steps": "steps, median",
    "paper_median_steps": "(paper)",
    "step_cap_percent": "at the cap (%)",
    "seconds_per_step": "s per step",
    "seconds_per_relaxation": "s per molecule, mean",
    "median_seconds": "s per molecule, median",
}


def numbers(runs: pd.DataFrame) -> pd.DataFrame:
    """Steps and times of each test set and method.

    Parameters
    ----------
    runs
        Tables of the relaxations (`morered.metrics.tables.read_runs`); the first seed of each is used.

    Returns
    -------
    DataFrame
        The columns of `HEADS`. A molecule that was refused or failed has no number of steps and enters no mean; one at the cap
        enters with the cap. Seconds are wall time per molecule, its share where molecules are relaxed in batches;
        seconds_per_step is their sum over the sum of steps.
    """
    paper = published.table().set_index(["testset", "method", "quantity"])["value"]
    rows = []
    for (testset, method), group in one_seed(runs).groupby(["testset", "method"], sort=False):
        relaxed = group[~group["verdict"].isin(UNRELAXED)]
        steps, seconds = relaxed["steps"], relaxed["seconds"]
        rows.append(
            {
                "testset": testset,
                "method": method,
                "n": len(relaxed),
                "unrelaxed": len(group) - len(relaxed),
                "mean_steps": steps.mean(),
                "paper_mean_steps": paper.get((testset, method, "mean_steps"), float("nan")),
                "median_steps": steps.median(),
                "paper_median_steps": paper.get((testset, method, "median_steps"), float("nan")),
                "step_cap_percent": 100.0 * (relaxed["verdict"] == "step-cap").mean(),
                "seconds_per_step": seconds.sum() / steps.sum() if steps.sum() else float("nan"),
                "seconds_per_relaxation": seconds.mean(),
                "median_seconds": seconds.median(),
            }
        )
    return pd.DataFrame(rows)[list(HEADS)]


def write(table: pd.DataFrame, stem: str | Path, *, title: str = "Steps and times", note: str = "") -> None:
    """Write ``stem.csv`` and ``stem.html``; ``note`` is a sentence above the table, such as on which machine it was."""
    stem = stem_of(stem)
    write_table(table, stem.with_name(f"{stem.name}.csv"))
    body = [f"<h1>{html.escape(title)}</h1>", f"<p class=note>{html.escape(note)}</p>" if note else "", html.table(table, HEADS)]
    with atomic_path(stem.with_name(f"{stem.name}.html")) as path:
        path.write_text(html.document(title, "\n".join(body)), encoding="utf-8")


def make(runs: pd.DataFrame, stem: str | Path, *, note: str = "") -> pd.DataFrame:
    """Make the table from tables of relaxations."""
    table = numbers(runs)
    write(table, stem, note=note)
    return table
