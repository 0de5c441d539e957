"""Validity, uniqueness and novelty of a set of generated molecules (Table B1), with confidence intervals.

A molecule is unique where no sample before it has its name, and novel where no molecule of the dataset has it. The names
are canonical SMILES with stereochemistry, mirror images alike, as Gebauer et al. (NeurIPS 2019) compare them; the same without
stereochemistry is reported beside.

Whether a molecule repeats another is a property of the set: intervals are those of a share of samples whose flags are held
fixed, bootstrapped over samples.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from morered.metrics.statistics import Estimate, fraction

#: Quantity -> what it is, all in percent of the samples but stable_atoms_percent, which is of their atoms.
QUANTITIES: dict[str, str] = {
    "valid_percent": "V",
    "valid_unique_percent": "V + U",
    "valid_unique_novel_percent": "V + U + N",
    "graph_unique_percent": "V + U, without stereochemistry",
    "graph_unique_novel_percent": "V + U + N, without stereochemistry",
    "valid_rdkit_percent": "V by RDKit",
    "sound_percent": "sound geometry (PoseBusters)",
    "stable_atoms_percent": "stable atoms (EDM)",
    "stable_percent": "stable molecules (EDM)",
}


def flags(table: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Whether each sample is valid, and unique and novel besides.

    Parameters
    ----------
    table
        See `morered.generation.examine`; the order of its rows is the order of the samples.
    known
        Names of the dataset's molecules, from `morered.generation.examine.known_molecules`.

    Returns
    -------
    DataFrame
        bool columns valid, unique, novel (each also valid; novel also unique), and unique_graph, novel_graph.
    """
    valid = table["valid"].to_numpy() == 1
    found = {"valid": valid}
    for name, ending in (("smiles", ""), ("graph", "_graph")):
        names = table[name].where(valid)  # NaN where there is none: duplicated() is asked about valid ones alone
        unique = valid & ~names.duplicated().to_numpy()
        found[f"unique{ending}"] = unique
        found[f"novel{ending}"] = unique & ~names.isin(set(known[name]) - {""}).to_numpy()
    return pd.DataFrame(found)


def quality(table: pd.DataFrame, known: pd.DataFrame) -> dict[str, Estimate]:
    """Each quantity of `QUANTITIES` in percent, with its 95 % confidence interval."""
    found = flags(table, known)
    shares = {
        "valid_percent": share(found["valid"]),
        "valid_unique_percent": share(found["unique"]),
        "valid_unique_novel_percent": share(found["novel"]),
        "graph_unique_percent": share(found["unique_graph"]),
        "graph_unique_novel_percent": share(found["novel_graph"]),
        "valid_rdkit_percent": share(table["valid_rdkit"] == 1),
        "sound_percent": share(table["geometry"] == "sound"),
        "stable_atoms_percent": _share_of_atoms(table),
        "stable_percent": share(table["stable"] == 1),
    }
    return {name: shares[name] for name in QUANTITIES}


def share(flags: ArrayLike) -> Estimate:
    """Percentage of true flags [n] with a bootstrap interval over them; Wilson's where none or all are true."""
    x = np.asarray(flags, dtype=bool)
    mixed = x.any() and not x.all()
    found = fraction(x, groups=np.arange(len(x)) if mixed else None)
    return Estimate(100 * found.value, 100 * found.low, 100 * found.high, found.n)


def _share_of_atoms(table: pd.DataFrame) -> Estimate:
    """Percentage of stable atoms; whole molecules are drawn again."""
    atoms, stable = table["n_atoms"].to_numpy(), table["stable_atoms"].to_numpy()
    owner = np.repeat(np.arange(len(atoms)), atoms)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(atoms) - atoms, atoms)
    each = place < stable[owner]  # which of its atoms they are does not matter
    found = fraction(each, groups=owner)
    return Estimate(100 * found.value, 100 * found.low, 100 * found.high, found.n)
