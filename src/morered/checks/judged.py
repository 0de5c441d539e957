"""All checks of results beside their inputs.

Shapes: M molecules, A atoms (flat).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from morered.checks.bonds import Bonded
from morered.checks.geometry import faults
from morered.checks.identity import Identity, alone, compare
from morered.checks.table import CHECKS, IDENTITY
from morered.frozen import FROZEN, frozen_atoms
from morered.metrics.stereo import stereo_kept
from morered.structures import Structures

_TOLD = {
    "stereo_kept": "the stereochemistry changed",
    "fragments_kept": "the number of fragments changed",
    "hydrogens_kept": "hydrogens moved from atom to atom",
}


@dataclass(frozen=True, eq=False)
class Checks:
    """Checks of M results.

    Attributes
    ----------
    passed : dict
        Name of `morered.checks.table.CHECKS` -> [M] int8: 1, 0 or -1.
    impossible : list
        [M], what is impossible about the geometry, None where nothing is.
    changed : list
        [M], what became of the molecule, None where it is the same.
    strain : NDArray
        [M], how far the geometry is outside the ranges: 0 where it is within; comparable between geometries of one molecule.
    """

    passed: dict[str, NDArray[np.int8]]
    impossible: list[str | None]
    changed: list[str | None]
    strain: NDArray[np.float64]


def check(results: Structures, inputs: Structures | None = None) -> Checks:
    """Check the geometry of results and, where there are inputs, that they are still the same molecules.

    Parameters
    ----------
    results
        M molecules with finite coordinates.
    inputs
        The same atoms as they were given, with the bonds that their source states (`morered.checks.known`), if any, and frozen
        atoms, of whose lengths, angles and contacts among themselves nothing is asked. Without inputs it is asked that each
        molecule is in one piece.

    Returns
    -------
    Checks
        ``at_rest`` and ``clean`` are -1: the method tells.
    """
    bare = results.without_columns()
    identity = alone(bare) if inputs is None else compare(inputs, bare)
    n = len(results)
    passed = {name: np.full(n, -1, np.int8) for name in CHECKS} | identity.kept
    if inputs is not None:
        same = np.flatnonzero(identity.kept["bonds_kept"] == 1)
        passed["stereo_kept"][same] = stereo_kept(inputs.without_columns()[same], bare[same], _chosen(identity.bonded, same))
    impossible: list[str | None] = [None] * n
    strain = np.zeros(n)
    frozen = None if inputs is None or FROZEN not in inputs.columns else frozen_atoms(inputs)
    for name, fault in faults(identity.bonded):
        if frozen is not None:
            fault = fault.beside(frozen)
        passed[name] = np.ones(n, np.int8)
        passed[name][fault.molecules] = 0
        strain += fault.total(n)
        for m, sentence in fault.worst().items():
            impossible[m] = impossible[m] or sentence
    return Checks(passed, impossible, _changes(identity, passed, bare), strain)


def passes(results: Structures, inputs: Structures) -> NDArray[np.bool_]:
    """Whether each result, [M], has a possible geometry and is still the molecule of its input."""
    found = check(results, inputs)
    return np.array([not (a or b) for a, b in zip(found.impossible, found.changed, strict=True)], dtype=bool)


def _chosen(bonded: Bonded, molecules: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bonds [E, 2] of some molecules, ascending, as rows of the per-atom arrays of these alone."""
    structures = bonded.structures
    chosen = np.isin(structures.molecule_index, molecules)
    row = np.cumsum(chosen) - 1
    return row[bonded.pairs[chosen[bonded.pairs[:, 0]]]]


def _changes(identity: Identity, passed: dict[str, NDArray[np.int8]], structures: Structures) -> list[str | None]:
    told: list[str | None] = [None] * len(structures)
    for name in IDENTITY[1:]:
        for m in np.flatnonzero(passed[name] == 0).tolist():
            told[m] = told[m] or _TOLD[name]
    for m, (pair, broken) in identity.changes.items():
        start = structures.offsets[m]
        atoms = "-".join(f"{chemical_symbols[structures.numbers[a]]}{a - start + 1}" for a in pair)
        told[m] = f"the bond {atoms} {'broke' if broken else 'formed'}"
    return told
