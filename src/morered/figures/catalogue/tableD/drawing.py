"""Computation time (Appendix D): steps and seconds of each method, of one step alone and in a batch, and of each training,
measured and as the paper states them.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import pandas as pd

from morered.figures import html, published
from morered.figures.style import stem_of
from morered.files import atomic_path
from morered.metrics.intervals import with_intervals
from morered.metrics.tables import UNRELAXED, one_seed, write_table
from morered.models.weights import load

#: Column -> head of the page.
HEADS = {
    "testset": "inputs",
    "method": "method",
    "n": "relaxed",
    "unrelaxed": "refused or failed",
    "mean_steps": "steps, mean",
    "mean_steps_low": "95 % from",
    "mean_steps_high": "to",
    "paper_mean_steps": "(paper)",
    "median_steps": "steps, median",
    "paper_median_steps": "(paper)",
    "step_cap_percent": "at the cap (%)",
    "seconds_per_step": "s per step",
    "seconds_per_relaxation": "s per molecule, mean",
    "median_seconds": "s per molecule, median",
}
#: The same for single steps.
STEP_HEADS = {
    "method": "method",
    "seconds_per_step": "s per step, one molecule",
    "paper_seconds_per_step": "(paper)",
    "batch": "batch",
    "seconds_per_batch_step": "s per step, batch",
    "paper_seconds_per_batch_step": "(paper, 128)",
}
#: The same for trainings.
TRAINING_HEADS = {
    "model": "model",
    "kind": "kind",
    "parameters": "parameters",
    "molecules": "structures",
    "trainings": "trainings in a row",
    "steps": "batches",
    "epochs": "epochs",
    "seconds": "training time (s)",
    "paper_days": "(paper, days)",
}
_PAPERS_TRAINING = {"morered-jt": "MoreRed-JT", "noise": "MoreRed-AS", "time": "MoreRed-AS", "mlff": "MLFF"}


def numbers(runs: pd.DataFrame) -> pd.DataFrame:
    """Steps and times of each test set and method.

    Parameters
    ----------
    runs
        Tables of the relaxations (`morered.metrics.tables.read_runs`); the first seed of each is used.

    Returns
    -------
    DataFrame
        The columns of `HEADS`; the interval of the mean is bootstrapped over minima. A molecule that was refused or failed has
        no number of steps and enters no mean; one at the cap
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
    return with_intervals(pd.DataFrame(rows), runs, ["mean_steps"])[list(HEADS)]


def steps(measured: pd.DataFrame) -> pd.DataFrame:
    """Seconds of single steps (`morered.relaxation.timing.measure`) beside the paper's; the columns of `STEP_HEADS`."""
    paper = published.table().set_index(["method", "quantity"])["value"]
    for name in ("seconds_per_step", "seconds_per_batch_step"):
        stated = [paper.get((method, name), float("nan")) for method in measured["method"]]
        measured = measured.assign(**{f"paper_{name}": stated})
    return measured[list(STEP_HEADS)]


def trainings(weights: Mapping[str, str | PathLike[str]]) -> pd.DataFrame:
    """What the training of each model took, as its weights file says: those that it began from included.

    Parameters
    ----------
    weights
        Model -> file.

    Returns
    -------
    DataFrame
        The columns of `TRAINING_HEADS`; numbers that a file does not state are empty. ``molecules`` are those of the last
        training, ``steps``, ``epochs`` and ``seconds`` sums over all ``trainings``.
    """
    paper = published.table().set_index(["method", "quantity"])["value"]
    rows = []
    for name, path in weights.items():
        model = load(path)
        chain = [*model.header.training.get("before", []), model.header.training]
        said = {
            "molecules": chain[-1].get("molecules", float("nan")),
            "trainings": sum(link.get("trainings", 1) for link in chain),
        }
        said |= {key: sum(link.get(key, float("nan")) for link in chain) for key in ("steps", "epochs", "seconds")}
        days = paper.get((_PAPERS_TRAINING[model.config.kind], "training_days"), float("nan"))
        rows.append(
            {"model": name, "kind": model.config.kind, "parameters": model.network.n_parameters(), **said, "paper_days": days}
        )
    return pd.DataFrame(rows, columns=list(TRAINING_HEADS))


def write(
    table: pd.DataFrame,
    stem: str | Path,
    *,
    steps: pd.DataFrame | None = None,
    trainings: pd.DataFrame | None = None,
    title: str = "Steps and times",
    note: str = "",
) -> None:
    """Write ``stem.csv``, ``stem.steps.csv``, ``stem.training.csv`` and ``stem.html`` with all of them.

    ``steps`` and ``trainings`` are those of the functions of these names; without them their files have no rows. ``note`` is a
    sentence above the tables, such as on which machine it was.
    """
    stem = stem_of(stem)
    steps = pd.DataFrame(columns=list(STEP_HEADS)) if steps is None else steps
    trainings = pd.DataFrame(columns=list(TRAINING_HEADS)) if trainings is None else trainings
    write_table(table, stem.with_name(f"{stem.name}.csv"))
    write_table(steps, stem.with_name(f"{stem.name}.steps.csv"))
    write_table(trainings, stem.with_name(f"{stem.name}.training.csv"))
    body = [f"<h1>{html.escape(title)}</h1>", f"<p class=note>{html.escape(note)}</p>" if note else "", html.table(table, HEADS)]
    if len(steps):
        body += ["<h2>One step</h2>", html.table(steps, STEP_HEADS)]
    if len(trainings):
        body += ["<h2>Training</h2>", html.table(trainings, TRAINING_HEADS)]
    with atomic_path(stem.with_name(f"{stem.name}.html")) as path:
        path.write_text(html.document(title, "\n".join(body)), encoding="utf-8")


def make(
    runs: pd.DataFrame,
    stem: str | Path,
    *,
    measured: pd.DataFrame | None = None,
    weights: Mapping[str, str | PathLike[str]] | None = None,
    note: str = "",
) -> pd.DataFrame:
    """Make the table from tables of relaxations, seconds of single steps, and weights files; returns its first part."""
    table = numbers(runs)
    write(
        table,
        stem,
        steps=None if measured is None or measured.empty else steps(measured),
        trainings=None if not weights else trainings(weights),
        note=note,
    )
    return table
