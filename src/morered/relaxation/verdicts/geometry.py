"""Keeps energies and forces with their geometry: a method's are added, and those of the input's geometry are removed.

Shapes: M molecules, A atoms (flat), N atoms of one molecule.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from morered.chemistry import require_same_atoms
from morered.frozen import has_frozen
from morered.metrics.rmsd import align, kabsch
from morered.properties import is_of_geometry
from morered.structures import Column, Structures

#: Where `morered.relax` leaves the coordinates that Atoms had before, as an attribute of theirs: for `morered.view`.
BEFORE = "relaxed_from"


def laid_on(results: Structures, inputs: Structures) -> Structures:
    """Results moved rigidly onto their inputs; a molecule with frozen atoms is where it is."""
    laid = align(results, inputs.without_columns())
    anchored = has_frozen(inputs)[inputs.molecule_index]
    return laid.with_positions(np.where(anchored[:, None], results.positions, laid.positions)) if anchored.any() else laid


def turned(vectors: NDArray[np.float64], before: Structures, after: Structures) -> NDArray[np.float64]:
    """Vectors [A, 3] of molecules that were moved rigidly from ``before`` to ``after``, in their new orientation."""
    require_same_atoms(before, after)
    result = np.array(vectors, dtype=np.float64)
    for block in before.blocks():
        p, q = before.positions[block.atoms].astype(np.float64), after.positions[block.atoms].astype(np.float64)
        good = np.isfinite(p).all(axis=(1, 2)) & np.isfinite(q).all(axis=(1, 2))
        rows = block.atoms[good]
        result[rows] = result[rows] @ kabsch(p[good], q[good])
    return result


def without_stale(structures: Structures, moved: NDArray[np.bool_]) -> Structures:
    """The same molecules without the values that belong to the geometry which those ``moved`` [M] had before.

    A value that is gone is NaN or an empty text; a column of which nothing is left is gone as well.
    """
    columns: dict[str, Column] = {}
    for name, column in structures.columns.items():
        if is_of_geometry(name):
            rows = moved[structures.molecule_index] if column.per_atom else moved
            if rows.all():
                continue
            values = np.array(column.values)
            if values.dtype.kind in "biu" and rows.any():
                values = values.astype(np.float64)
            if rows.any():
                values[rows] = b"" if values.dtype.kind == "S" else np.nan
            column = column._replace(values=values)
        columns[name] = column
    return Structures(
        structures.numbers, structures.positions, structures.offsets, structures.ids, structures.references, columns
    )


def with_results(
    structures: Structures, chosen: NDArray[np.int64], energies: NDArray[np.float64], forces: NDArray[np.float64]
) -> Structures:
    """``structures`` with energies [M] and forces [A, 3] of the molecules ``chosen``; the others keep what they had, or NaN."""
    which = np.zeros(len(structures), dtype=bool)
    which[chosen] = True
    columns = {}
    for name, values, unit, rows in (
        ("energy", energies, "eV", which),
        ("forces", forces, "eV/Å", which[structures.molecule_index]),
    ):
        there = structures.columns.get(name)
        kept = np.full(values.shape, np.nan)
        if there is not None and (there.unit, there.per_atom) == (unit, values.ndim == 2) and there.values.shape == values.shape:
            kept = np.array(there.values, dtype=np.float64)
        kept[rows] = values[rows]
        columns[name] = Column(kept, unit, values.ndim == 2)
    return structures.with_columns(columns)
