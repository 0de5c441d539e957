"""Fit of what the last predicted time says of what is left, by isotonic regression, and its reliability on other molecules.

Shapes: n results, K knots.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression

from morered.metrics.calibration import Calibration
from morered.metrics.endings import molecules_of
from morered.metrics.statistics import mean

Floats = NDArray[np.float64]

#: Results that a fit needs, and those that stand for one knot at least.
LEAST, TOGETHER = 20, 10
#: Classes of a reliability curve.
CLASSES = 8


def fit(endings: pd.DataFrame) -> Calibration:
    """Fit to a table of endings (`morered.datasets.organic.endings`): results that converged and fell into a minimum.

    Raises
    ------
    ValueError
        If there are too few.
    """
    used = usable(endings)
    if len(used) < LEAST:
        raise ValueError(f"{len(used)} results with a predicted time are too few to calibrate on: at least {LEAST} are needed")
    order = np.argsort(used["last_time"].to_numpy(), kind="stable")
    times, rmsd = used["last_time"].to_numpy()[order], used["rmsd_left"].to_numpy()[order]
    energy = (used["energy_left"] / used["n_atoms"]).to_numpy()[order]
    knots = _classes(times, max(1, len(times) // TOGETHER))
    x = np.array([times[k].mean() for k in knots])
    weights = np.array([len(k) for k in knots], dtype=np.float64)
    fitted = [isotonic([values[k].mean() for k in knots], weights) for values in (rmsd, energy)]
    return Calibration(tuple(x.tolist()), tuple(fitted[0].tolist()), tuple(fitted[1].tolist()), len(used))


def isotonic(values: ArrayLike, weights: ArrayLike) -> Floats:
    """The sequence that never falls and is nearest to values [K] by weighted least squares (pool adjacent violators)."""
    return np.asarray(isotonic_regression(np.asarray(values, float), weights=np.asarray(weights, float)).x)


def reliability(endings: pd.DataFrame, calibration: Calibration) -> pd.DataFrame:
    """Expected and found means of results in classes of like expectation.

    Returns
    -------
    DataFrame
        quantity ("rmsd" in Å or "energy" in kcal/mol), n, expected, found, and the limits of the found mean's 95 % interval, low
        and high (bootstrap over molecules).
    """
    used = usable(endings)
    rows = []
    expected = calibration.expected(used["last_time"], used["n_atoms"])
    for quantity, estimate, name in zip(("rmsd", "energy"), expected, ("rmsd_left", "energy_left"), strict=True):
        order = np.argsort(estimate, kind="stable")
        for k in _classes(estimate[order], CLASSES):
            part = used.iloc[order[k]]
            found = mean(part[name], groups=molecules_of(part["id"]))
            values = {"expected": float(estimate[order[k]].mean()), "found": found.value, "low": found.low, "high": found.high}
            rows.append({"quantity": quantity, "n": len(part), **values})
    return pd.DataFrame(rows)


def usable(endings: pd.DataFrame) -> pd.DataFrame:
    """The rows that have a predicted time and fell into a minimum."""
    return endings[(endings["fell"] == 1) & endings["last_time"].notna()]


def _classes(ascending: Floats, count: int) -> list[NDArray[np.int64]]:
    """Indices of about ``count`` classes as large as each other, none of which ends between equal values."""
    borders = np.unique(np.linspace(0, len(ascending), min(count, len(ascending)) + 1).astype(int)[1:-1])
    starts = np.unique(np.searchsorted(ascending, ascending[borders], side="left")) if len(borders) else borders
    return [part for part in np.split(np.arange(len(ascending)), starts) if len(part)]
