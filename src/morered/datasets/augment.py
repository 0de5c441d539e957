"""Minima of another dataset that are trained on as well: more graphs than a small dataset has.

Graphs of the own dataset and of those that the study tests on are left out, those of every part: no test molecule is learned by
another name, and no graph has minima at two levels of theory.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from tqdm import tqdm

from morered.perception import BOND_FACTORS, bonded
from morered.structures import Molecule, Structures


def new_graphs(
    others: Structures, known: Structures, max_heavy_atoms: int | None = None, progress: bool | None = None
) -> Structures:
    """The molecules of ``others`` that a training on ``known`` may be augmented with.

    Parameters
    ----------
    others
        Minima of the other dataset.
    known
        All minima of the own dataset and of those tested on, whatever part they stand in.
    max_heavy_atoms
        Atoms other than hydrogen at most.
    progress
        Whether to show a bar; None shows one on a terminal only.

    Returns
    -------
    Structures
        Without columns: those whose elements all occur in ``known`` and whose graph occurs there under no choice of the bond
        lengths (`BOND_FACTORS`), so that two levels of theory cannot hide a graph from each other.
    """
    plausible = _of_elements(others, np.unique(known.numbers))
    if max_heavy_atoms is not None:
        plausible &= others.per_molecule_sum((others.numbers > 1).astype(np.float64)) <= max_heavy_atoms
    hidden = None if progress is None else not progress
    taken = {text for molecule in tqdm(known, desc="known graphs", unit="mol", disable=hidden) for text in _texts(molecule)}
    rows = np.flatnonzero(plausible)
    bar = tqdm(rows, desc="new graphs", unit="mol", disable=hidden)
    kept = [row for row in bar if taken.isdisjoint(_texts(others.molecule(int(row))))]
    return others[np.array(kept, dtype=np.int64)].without_columns()


def _of_elements(structures: Structures, elements: NDArray[np.integer]) -> NDArray[np.bool_]:
    foreign = ~np.isin(structures.numbers, elements)
    return structures.per_molecule_sum(foreign.astype(np.float64)) == 0


def _texts(molecule: Molecule) -> set[str]:
    """The graph as a text, for each factor on the covalent radii; bond orders do not count, so that nothing can fail."""
    with rdBase.BlockLogs():
        graphs = (bonded(molecule.numbers, molecule.positions, factor) for factor in BOND_FACTORS)
        return {Chem.MolToSmiles(graph, isomericSmiles=False) for graph in graphs}
