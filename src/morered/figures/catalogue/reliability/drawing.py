"""Expected against found, for distance and energy."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from morered.figures import style
from morered.metrics.calibration import Calibration
from morered.metrics.reliability import reliability

_QUANTITIES = {"rmsd": "distance left (Å)", "energy": "energy left (kcal/mol)"}


@style.styled
def draw(endings: pd.DataFrame, calibration: Calibration, stem: str | Path) -> None:
    """Draw; writes reliability.{png,pdf,csv}."""
    table = reliability(endings, calibration)
    figure = style.new_figure(style.PAGE, 2.9)
    for axes, (quantity, label) in zip(figure.subplots(1, 2), _QUANTITIES.items(), strict=True):
        part = table[table["quantity"] == quantity]
        errors = [part["found"] - part["low"], part["high"] - part["found"]]
        axes.errorbar(part["expected"], part["found"], yerr=errors, fmt="o", ms=4, lw=0.8, color="#0072B2")
        most = 1.05 * float(part[["expected", "found"]].max().max())
        axes.plot([0, most], [0, most], color="#999999", lw=0.8)
        axes.set_xlabel(f"expected {label}")
        axes.set_ylabel(f"found {label}")
    style.save(figure, stem, table)
