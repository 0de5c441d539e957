"""Fit of what is expected to be left of a result, by isotonic regression, and its reliability on other molecules.

Shapes: n results, K knots.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression

from morered.metrics.calibration import PREDICTORS, Calibration, Factor
from morered.metrics.endings import molecules_of
from morered.metrics.statistics import mean

Floats = NDArray[np.float64]

#: Results that a fit needs, those that stand for one knot at least, and knots of a factor at most.
LEAST, TOGETHER, KNOTS = 20, 10, 12
#: Classes of a reliability curve.
CLASSES = 8
#: Rounds of a fit: factors of validation results stand still after some thirty.
ROUNDS = 100


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
    known = [used[name].to_numpy(dtype=np.float64) for name in PREDICTORS]
    rmsd = used["rmsd_left"].to_numpy()
    energy = (used["energy_left"] / used["n_atoms"]).to_numpy()
    return Calibration(product(known, rmsd), product(known, energy), len(used))


def product(known: list[Floats], found: Floats) -> tuple[Factor, ...]:
    """Factors of each of ``known`` ([n] each), none of which falls, whose product has the means of ``found`` [n].

    One factor after the other is fitted while the others stand still: in each class of its predictor the product then has the
    mean that was found, unless the factor would fall. All but the first have a mean of 1. Below zero nothing is expected.
    """
    found = np.maximum(found, 0.0)
    classes = [_of_like(x) for x in known]
    at = [np.array([x[k].mean() for k in parts]) for x, parts in zip(known, classes, strict=True)]
    factors = [Factor(tuple(x.tolist()), (1.0,) * len(x)) for x in at]
    for _ in range(ROUNDS):
        for j, parts in enumerate(classes):
            others = np.prod([factor(x) for i, (factor, x) in enumerate(zip(factors, known, strict=True)) if i != j], axis=0)
            weights = np.array([max(others[k].sum(), np.finfo(float).tiny) for k in parts])
            values = isotonic(np.array([found[k].sum() for k in parts]) / weights, weights)
            if j and (middle := np.interp(known[j], at[j], values).mean()) > 0:
                values = values / middle
            factors[j] = Factor(factors[j].at, tuple(values.tolist()))
    return tuple(factors)


def isotonic(values: ArrayLike, weights: ArrayLike) -> Floats:
    """The sequence that never falls and is nearest to values [K] by weighted least squares (pool adjacent violators)."""
    return np.asarray(isotonic_regression(np.asarray(values, float), weights=np.asarray(weights, float)).x)


def reliability(endings: pd.DataFrame, calibration: Calibration) -> pd.DataFrame:
    """Expected and found means of results in classes of like expectation; an input in several test sets counts once.

    Returns
    -------
    DataFrame
        quantity ("rmsd" in Å or "energy" in kcal/mol), n, expected, found, and the limits of the found mean's 95 % interval, low
        and high (bootstrap over molecules).
    """
    used = usable(endings).drop_duplicates(["method", "id"])
    rows = []
    expected = calibration.expected({name: used[name].to_numpy(dtype=np.float64) for name in PREDICTORS})
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


def _of_like(values: Floats) -> list[NDArray[np.int64]]:
    """Results whose values are alike, in ascending order."""
    order = np.argsort(values, kind="stable")
    return [order[part] for part in _classes(values[order], min(KNOTS, max(1, len(values) // TOGETHER)))]


def _classes(ascending: Floats, count: int) -> list[NDArray[np.int64]]:
    """Indices of about ``count`` classes as large as each other, none of which ends between equal values."""
    borders = np.unique(np.linspace(0, len(ascending), min(count, len(ascending)) + 1).astype(int)[1:-1])
    starts = np.unique(np.searchsorted(ascending, ascending[borders], side="left")) if len(borders) else borders
    return [part for part in np.split(np.arange(len(ascending)), starts) if len(part)]
