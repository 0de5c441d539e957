"""What tables and figures of where results end are made from (`morered.datasets.organic.endings`): one row a method."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from os import PathLike

import numpy as np
import pandas as pd

from morered.metrics.statistics import Estimate, fraction, mean, median
from morered.metrics.tables import unguarded

#: Sizes, in atoms, that coverage is told for: the smallest of each class.
SIZES = (2, 10, 20, 30, 40, 50, 60, 80)

_TEXTS = ("id", "kind", "elements", "verdict")


def _percent(flags: pd.Series, groups: pd.Series) -> Estimate:
    found = fraction(flags.to_numpy(bool), groups=groups)
    return Estimate(100 * found.value, 100 * found.low, 100 * found.high, found.n)


def molecules_of(ids: pd.Series) -> pd.Series:
    """The molecules that inputs are of: what is drawn together in a bootstrap."""
    return ids.str.rpartition("/")[0]


#: Quantity -> its estimate from the rows of one method. Percentages are of all inputs; medians of what fell into a minimum.
QUANTITIES: Mapping[str, Callable[[pd.DataFrame], Estimate]] = {
    "converged_percent": lambda t: _percent(t["converged"] == 1, molecules_of(t["id"])),
    "median_energy_left": lambda t: median(t["energy_left"], groups=molecules_of(t["id"])),
    "median_rmsd_left": lambda t: median(t["rmsd_left"], groups=molecules_of(t["id"])),
    "nearer_percent": lambda t: _percent(t["nearer"] == 1, molecules_of(t["id"])),
    "mean_calls": lambda t: mean(t["calls"].dropna(), groups=molecules_of(t["id"])[t["calls"].notna()]),
    "median_ms": lambda t: median(1e3 * t["seconds"], groups=molecules_of(t["id"])),
}


def read(runs: Iterable[tuple[str, str, str | PathLike[str]]]) -> pd.DataFrame:
    """Tables of endings as one, with the columns testset and method; ``runs`` are these and the files."""
    parts = [unguarded(pd.read_csv(path), _TEXTS).assign(testset=testset, method=method) for testset, method, path in runs]
    return pd.concat(parts, ignore_index=True)


def summarise(endings: pd.DataFrame, baseline: str | None = None) -> pd.DataFrame:
    """One row for each test set and method.

    Parameters
    ----------
    endings
        What `read` gives.
    baseline
        The method whose calls are 1.

    Returns
    -------
    DataFrame
        testset, method, n (inputs), fell (those that fell into a minimum), each of `QUANTITIES` with its 95 % limits _low and
        _high (bootstrap over molecules), and ``calls_ratio``: gradient calls over those from the baseline's results, for the
        inputs that both have; empty without a baseline.
    """
    rows = []
    for (testset, method), group in endings.groupby(["testset", "method"], sort=False):
        row: dict[str, object] = {"testset": testset, "method": method, "n": len(group), "fell": int(group["fell"].sum())}
        for name, estimate in QUANTITIES.items():
            found = estimate(group)
            row |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
        other = endings[(endings["testset"] == testset) & (endings["method"] == baseline)]
        row["calls_ratio"] = _ratio(group, other)
        rows.append(row)
    return pd.DataFrame(rows)


def coverage(endings: pd.DataFrame) -> pd.DataFrame:
    """Results of methods by element and by size, each input once.

    A method that relaxed fewer test sets than another is left out: its molecules are others, mostly easier or harder ones.

    Returns
    -------
    DataFrame
        method, panel ("element" or "atoms"), series (the symbol, or the smallest size of a class), n, converged_percent and
        median_energy_left.
    """
    rows = []
    testsets = endings.groupby("method")["testset"].transform("nunique")
    everywhere = endings[testsets == testsets.max()].drop_duplicates(["method", "id"])
    for method, group in everywhere.groupby("method", sort=False):
        symbols = sorted({symbol for text in group["elements"] for symbol in text.split()})
        has = {symbol: group["elements"].str.split().map(lambda found, s=symbol: s in found) for symbol in symbols}
        classes = [("element", symbol, group[chosen]) for symbol, chosen in has.items()]
        place = np.searchsorted(SIZES, group["n_atoms"].to_numpy(), side="right") - 1
        classes += [("atoms", str(SIZES[k]), group[place == k]) for k in range(len(SIZES))]
        for panel, series, part in classes:
            if len(part):
                values = {"converged_percent": 100 * part["converged"].mean(), "median_energy_left": part["energy_left"].median()}
                rows.append({"method": method, "panel": panel, "series": series, "n": len(part), **values})
    return pd.DataFrame(rows)


def _ratio(group: pd.DataFrame, other: pd.DataFrame) -> float:
    both = group.set_index("id")[["calls"]].join(other.set_index("id")["calls"], rsuffix="_baseline", how="inner").dropna()
    return float(both["calls"].sum() / both["calls_baseline"].sum()) if len(both) else float("nan")
