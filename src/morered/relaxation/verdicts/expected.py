"""What the weights' calibration expects of each result: the distance and the energy that are left."""

from __future__ import annotations

import numpy as np

from morered.checks.identity import pieces
from morered.metrics.calibration import Calibration
from morered.structures import Column, Structures


def with_expected(judged: Structures, calibration: Calibration) -> Structures:
    """Results with the columns expected_rmsd and expected_energy.

    NaN for refused and failed ones, and for several fragments: how these lie to each other was not measured.
    """
    known = {"last_time": judged.column("last_time"), "n_atoms": judged.sizes, "moved": judged.column("moved")}
    rmsd_left, energy_left = calibration.expected(known)
    gone = np.isin(judged.column("verdict"), (b"refused", b"failed"))
    there = np.flatnonzero(~gone)
    if len(there):
        gone[there] = pieces(judged[there]) > 1
    values = {"expected_rmsd": (rmsd_left, "Å"), "expected_energy": (energy_left, "kcal/mol")}
    columns = {name: Column(np.where(gone, np.nan, found), unit) for name, (found, unit) in values.items()}
    return judged.with_columns({**judged.columns, **columns})
