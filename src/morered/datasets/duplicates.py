"""Structures that are the same molecule in the same geometry, whatever the order of their atoms.

Two structures are duplicates if their molecular graphs are the same, their energies (where known) agree, and they can be
superposed with equal atoms exchanged as the graph allows: the hydrogens of a methyl group have no names. Mirror images are no
duplicates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rdkit import rdBase
from rdkit.Chem import rdMolAlign

from morered.perception import bonded
from morered.structures import Structures

#: Å. Minima of the same conformer from different starts lie within 0.01 Å of each other; different conformers differ by 0.2 Å
#: and more.
RMSD_THRESHOLD = 0.1
#: eV; 0.1 kcal/mol.
ENERGY_THRESHOLD = 0.005
#: Ways to exchange equal atoms that are tried; a molecule with more of them may keep a duplicate.
_MAX_MATCHES = 20_000


def duplicates(
    structures: Structures,
    graphs: Sequence[str],
    energies: NDArray[np.floating] | None = None,
    rmsd_threshold: float = RMSD_THRESHOLD,
    energy_threshold: float = ENERGY_THRESHOLD,
) -> NDArray[np.bool_]:
    """Which structures repeat an earlier one, [M].

    Parameters
    ----------
    structures
        M molecules.
    graphs
        Name of each one's molecular graph, [M].
    energies
        eV, [M]; None, or NaN for a structure, where unknown: then the geometry alone decides.
    rmsd_threshold, energy_threshold
        Å and eV, below which two structures are the same.
    """
    repeated = np.zeros(len(structures), dtype=bool)
    groups: dict[str, list[int]] = {}
    for m, graph in enumerate(graphs):
        groups.setdefault(graph, []).append(m)
    known = np.full(len(structures), np.nan) if energies is None else np.asarray(energies, dtype=np.float64)
    for members in groups.values():
        kept: list[int] = []
        for m in members:
            near = [k for k in kept if not abs(known[m] - known[k]) > energy_threshold]  # NaN: not known to differ
            repeated[m] = any(_distance(structures, m, k) < rmsd_threshold for k in near)
            if not repeated[m]:
                kept.append(m)
    return repeated


def _distance(structures: Structures, a: int, b: int) -> float:
    """RMSD in Å of all atoms with the best exchange of equal ones; infinite where the bonds differ."""
    probe, reference = (bonded(structures.molecule(m).numbers, structures.molecule(m).positions) for m in (a, b))
    with rdBase.BlockLogs():
        try:
            return float(rdMolAlign.GetBestRMS(probe, reference, maxMatches=_MAX_MATCHES))
        except RuntimeError:  # no match of one's atoms on the other's
            return float("inf")
