"""The tidy table of a relaxation (one row per molecule): files, many runs together, and the numbers that are reported of them.

A table is a CSV file; `COLUMNS` says what each column holds. Undefined numbers are empty (NaN), unknown yes/no values are -1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import PathLike
from typing import Any, NamedTuple

import pandas as pd

from morered.escaping import cell, text_of
from morered.files import atomic_path

#: Columns of the table that `evaluate` makes -> (dtype, meaning with unit).
COLUMNS: dict[str, tuple[str, str]] = {
    "id": ("str", "the input's id"),
    "reference": ("str", "id of the minimum that it was displaced from"),
    "rank": (
        "str",
        "closest, middle or farthest of the displaced structures of its minimum; empty where there is no such choice",
    ),
    "n_atoms": ("int", "number of atoms"),
    "verdict": ("str", "converged, changed, step-cap, refused or failed"),
    "steps": ("int", "steps taken"),
    "rmsd_before": ("float", "RMSD of the input from its minimum in Å, aligned"),
    "rmsd_after": ("float", "RMSD of the relaxed structure from the minimum in Å, aligned; rmsd_before where refused or failed"),
    "ratio": ("float", "rmsd_after / rmsd_before; exactly 1 where refused or failed"),
    "first_time": ("float", "first predicted diffusion time, step / (T - 1)"),
    "last_time": ("float", "last predicted diffusion time"),
    "first_fmax": ("float", "largest force on an atom of the input in eV/Å"),
    "last_fmax": ("float", "largest force on an atom of the relaxed structure in eV/Å"),
    "moved": ("float", "RMSD between input and relaxed structure in Å, aligned; empty where refused or failed"),
    "bonds_kept": ("int", "1 if the bonds are the input's, 0 if not, -1 unknown"),
    "minimum_bonds": ("int", "1 if the bonds of the result are the minimum's, 0 if not"),
    "stereo_kept": ("int", "1 if the stereochemistry is the input's, 0 if not, -1 unknown"),
    "closest_contact": ("float", "smallest distance between two atoms of the relaxed structure in Å"),
    "seconds": ("float", "wall time of this molecule, its share of a batch"),
    "reason": ("str", "why it was refused or failed"),
}
#: Verdicts of molecules that keep their input coordinates and count as failures.
UNRELAXED = ("refused", "failed")
#: Columns that `read_runs` puts before them.
RUN_COLUMNS = ("testset", "method", "seed")

_TEXT = ("testset", "method", *(name for name, (kind, _) in COLUMNS.items() if kind == "str"))


class Run(NamedTuple):
    """A relaxation of one test set by one method with one seed, and the file of its table."""

    testset: str
    method: str
    seed: int
    path: str | PathLike[str]


def with_files(runs: Iterable[tuple[str, str, int]], paths: Iterable[str | PathLike[str]]) -> list[Run]:
    """Test set, method and seed of relaxations, each with its file.

    Raises
    ------
    ValueError
        If there are not as many files as relaxations.
    """
    return [Run(*run, path) for run, path in zip(runs, paths, strict=True)]


def write_table(frame: pd.DataFrame, path: str | PathLike[str]) -> None:
    """Write a frame as CSV, complete or not at all; numbers read back are the same numbers.

    A text that a spreadsheet would take for a formula gets an apostrophe before it (`morered.escaping.cell`).
    """
    texts = frame.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]]
    guarded = frame.assign(**{name: frame[name].map(_guarded) for name in texts})
    with atomic_path(path) as temporary:
        guarded.to_csv(temporary, index=False, lineterminator="\n")


def _guarded(value: Any) -> Any:
    return cell(value) if isinstance(value, str) else value


def unguarded(frame: pd.DataFrame, texts: Iterable[str]) -> pd.DataFrame:
    """A frame that was read from a file of `write_table`, the columns ``texts`` as they were before it was written."""
    return frame.assign(**{name: frame[name].map(_unguarded) for name in texts})


def _unguarded(value: Any) -> Any:
    return text_of(value) if isinstance(value, str) else value


def read_table(path: str | PathLike[str]) -> pd.DataFrame:
    """Read what `write_table` wrote; text columns stay text, whatever an id looks like."""
    header = pd.read_csv(path, nrows=0).columns
    text = {name: str for name in header if name in _TEXT}
    frame = pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])
    return unguarded(frame.fillna(dict.fromkeys(text, "")), text) if text else frame


def read_runs(runs: Iterable[Run]) -> pd.DataFrame:
    """The tables of several runs under each other, in the order given, with ``testset``, ``method`` and ``seed`` as first
    columns.

    Raises
    ------
    ValueError
        If there is no run, or two are of the same test set, method and seed.
    """
    runs = list(runs)
    if not runs:
        raise ValueError("no runs to read")
    seen = set()
    for run in runs:
        if run[:3] in seen:
            raise ValueError(f"two tables for {run.method} on {run.testset}, seed {run.seed}")
        seen.add(run[:3])
    return pd.concat(
        [read_table(run.path).assign(testset=run.testset, method=run.method, seed=run.seed) for run in runs], ignore_index=True
    )[[*RUN_COLUMNS, *COLUMNS]]


def one_seed(runs: pd.DataFrame) -> pd.DataFrame:
    """The rows of the first seed of each test set and method, so that all methods count equally many runs."""
    first = runs.groupby(["testset", "method"])["seed"].transform("min")
    return runs[runs["seed"] == first].reset_index(drop=True)


def of_every_seed(runs: pd.DataFrame) -> pd.DataFrame:
    """The rows of molecules that all seeds of their method have: further seeds may be of a sample."""
    seeds = runs.groupby(["testset", "method"])["seed"].transform("nunique")
    return runs[runs.groupby(["testset", "method", "id"])["seed"].transform("nunique") == seeds].reset_index(drop=True)


def in_order(names: Iterable[str]) -> list[str]:
    """Distinct names in the order in which they first appear: the config's order of test sets and methods."""
    return list(dict.fromkeys(names))


def rows_of(frame: pd.DataFrame) -> Iterator[Any]:
    """The rows as named tuples, whose types are only known to the reader."""
    return frame.itertuples(index=False)


def failed(runs: pd.DataFrame) -> pd.Series:
    """Failure cases as the paper counts them: a ratio of 1 or more (or none at all, should a result not be a number)."""
    return ~(runs["ratio"] < 1.0)


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """The reported numbers of each test set and method, in order of appearance.

    Returns
    -------
    DataFrame
        testset, method, n, median_ratio, failure_percent (ratio >= 1), median_rmsd (Å), median_rmsd_before (Å), mean_steps,
        median_steps and seconds (mean) of those that were relaxed at all, step_cap_percent, refused_percent (refused or
        failed), other_bonds_percent (bonds are not the minimum's), pearson_moved (correlation of ``moved`` and ``rmsd_before``).
    """
    rows = []
    for (testset, method), group in runs.groupby(["testset", "method"], sort=False):
        relaxed = group[~group["verdict"].isin(UNRELAXED)]  # one that was never relaxed has no number of steps
        rows.append(
            {
                "testset": testset,
                "method": method,
                "n": len(group),
                "median_ratio": group["ratio"].median(),
                "failure_percent": 100.0 * failed(group).mean(),
                "median_rmsd": group["rmsd_after"].median(),
                "median_rmsd_before": group["rmsd_before"].median(),
                "mean_steps": relaxed["steps"].mean(),
                "median_steps": relaxed["steps"].median(),
                "seconds": relaxed["seconds"].mean(),
                "step_cap_percent": 100.0 * (group["verdict"] == "step-cap").mean(),
                "refused_percent": 100.0 * group["verdict"].isin(UNRELAXED).mean(),
                "other_bonds_percent": 100.0 * (group["minimum_bonds"] == 0).mean(),
                "pearson_moved": relaxed[["moved", "rmsd_before"]].corr().iloc[0, 1],
            }
        )
    return pd.DataFrame(rows)
