"""From relaxed structures to the table that every figure is made from: each molecule before and after, against its minimum."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morered.chemistry import same_bonds
from morered.metrics.rmsd import rmsd
from morered.metrics.tables import COLUMNS, UNRELAXED
from morered.structures import Structures

#: RMSD in Å below which a result is its input: round-off of the alignment and of coordinates stored in single precision.
UNMOVED = 1e-5

_FROM_RELAXED = (
    "verdict", "steps", "first_time", "last_time", "first_fmax", "last_fmax", "bonds_kept", "stereo_kept", "closest_contact",
    "seconds", "reason",
)  # fmt: skip
_UNKNOWN = {"str": "", "int": -1, "float": np.nan}


def evaluate(relaxed: Structures, inputs: Structures, minima: Structures, *, subset: bool = False) -> pd.DataFrame:
    """Measure relaxed structures against the minima that their inputs were displaced from.

    Parameters
    ----------
    relaxed
        Results of a relaxation, with the columns ``verdict`` and ``steps`` and what else `morered.relaxation` gives.
    inputs
        The structures that were relaxed; ``references`` name their minima, a column ``rank`` is taken over.
    minima
        The reference minima, atoms in the same order.
    subset
        Allow results for some of the inputs only.

    Returns
    -------
    DataFrame
        One row per relaxed structure, in the order of the inputs; the columns of `morered.metrics.tables.COLUMNS`. A refused or
        failed molecule, and one that came back as it was, has ``rmsd_after`` = ``rmsd_before`` and a ratio of exactly 1. A
        result with coordinates that are no numbers has an infinite ratio.

    Raises
    ------
    ValueError
        If results are missing or come twice, or if their atoms or the minimum's are not those of the input.
    KeyError
        If a result has no input, an input no minimum, or the columns ``verdict`` and ``steps`` are missing.
    """
    place = inputs.index_of(relaxed.ids)
    if len(np.unique(place)) != len(place):
        raise ValueError("relaxed structures come twice: their ids are not unique")
    if not subset and len(relaxed) != len(inputs):
        lost = np.setdiff1d(np.arange(len(inputs)), place)[0]
        raise ValueError(f"{len(relaxed)} results for {len(inputs)} inputs; there is none for {inputs.ids[lost].decode()!r}")
    order = np.argsort(place)
    relaxed, inputs = relaxed[order], inputs[place[order]]
    references = minima[minima.index_of(inputs.references)]

    verdict = _text(relaxed.column("verdict"))
    unrelaxed = np.isin(verdict, UNRELAXED)
    before = rmsd(inputs, references)
    moved = np.where(unrelaxed, np.nan, rmsd(relaxed, inputs))
    unmoved = unrelaxed | (moved < UNMOVED)
    after = np.where(unmoved, before, rmsd(relaxed, references))
    values: dict[str, NDArray] = {
        "id": _text(inputs.ids),
        "reference": _text(inputs.references),
        "rank": _text(inputs.columns["rank"].values) if "rank" in inputs.columns else np.full(len(inputs), ""),
        "n_atoms": inputs.sizes,
        "rmsd_before": before,
        "rmsd_after": after,
        "ratio": _ratio(before, after, unmoved),
        "moved": moved,
        "minimum_bonds": same_bonds(relaxed, references).astype(np.int8),
    }
    required = ("verdict", "steps")
    for name in _FROM_RELAXED:
        if name in relaxed.columns or name in required:
            column = relaxed.column(name)
            values[name] = _text(column) if COLUMNS[name][0] == "str" else column
        else:
            values[name] = np.full(len(relaxed), _UNKNOWN[COLUMNS[name][0]])
    return pd.DataFrame({name: np.asarray(values[name]) for name in COLUMNS})


def _ratio(before: NDArray[np.floating], after: NDArray[np.floating], unmoved: NDArray[np.bool_]) -> NDArray[np.floating]:
    """The ratio after / before [M]; exactly 1 where unmoved, infinite where only ``before`` is 0 or ``after`` is no number."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = after / before
    return np.where(unmoved, 1.0, np.where(np.isnan(after), np.inf, ratio))


def _text(values: NDArray) -> NDArray:
    """Bytes or text [M] as text [M]."""
    values = np.asarray(values)
    return np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values.astype(str)
