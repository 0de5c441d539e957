"""What structures that come with energies and forces say: how good minima they are, and how good a force field is.

Shapes: M molecules, A atoms (flat). Units: eV, eV/Å in; kcal/mol, kcal/mol/Å out.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from morered.calculators.base import StructuresCalculator
from morered.datasets.splits import Split
from morered.structures import Structures
from morered.units import KCAL_MOL_PER_EV

#: Structures that a force field is judged on, at most.
SAMPLE = 10_000


def forces_at(minima: Structures) -> pd.DataFrame:
    """How large the forces on the atoms of minima are by their column ``forces``.

    Returns
    -------
    DataFrame
        quantity (``mean_force``, ``median_force``), value (kcal/mol/Å), n (minima).
    """
    norms = KCAL_MOL_PER_EV * np.linalg.norm(np.asarray(minima.column("forces"), dtype=np.float64), axis=1)
    values = {"mean_force": float(norms.mean()), "median_force": float(np.median(norms))}
    return pd.DataFrame({"quantity": list(values), "value": list(values.values()), "n": len(minima)})


def errors(structures: Structures, calculator: StructuresCalculator) -> pd.DataFrame:
    """Root mean squared errors against the columns ``energy`` and ``forces`` (components).

    Returns
    -------
    DataFrame
        quantity (``energy_error`` in kcal/mol, ``force_error`` in kcal/mol/Å), value, n (structures).

    Raises
    ------
    ValueError
        If there is no structure, or the calculator refuses one.
    """
    if not len(structures):
        raise ValueError("there is no labelled structure to judge a force field on")
    found = calculator.compute(structures)
    for name, reason in zip(structures.names, found.reasons, strict=True):
        if reason is not None:
            raise ValueError(f"{name}: {reason}")
    assert found.forces is not None
    differences = {
        "energy_error": found.energies - structures.column("energy"),
        "force_error": (found.forces - structures.column("forces")).ravel(),
    }
    values = [KCAL_MOL_PER_EV * float(np.sqrt(np.mean(np.square(d, dtype=np.float64)))) for d in differences.values()]
    return pd.DataFrame({"quantity": list(differences), "value": values, "n": len(structures)})


def sample(structures: Structures, split: Split, part: str = "test", seed: int = 0, limit: int = SAMPLE) -> Structures:
    """A random sample of the structures of a part, those at the minima included; all if there are fewer than ``limit``."""
    rows = split.select(structures, part)
    if len(rows) > limit:
        rows = np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))
    return structures[rows]
