"""Molecular graphs of structures: which molecules must stand in the same split.

A graph is the elements and who is bonded to whom. Stereoisomers, conformers and resonance formulas share a graph; tautomers do
not. Its name is a canonical SMILES without stereochemistry.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdDetermineBonds

from morered.perception import BOND_FACTORS, bonded
from morered.structures import Structures

#: What one determination of bond orders may take; reached by no molecule of QM7, and what keeps a large odd one from hanging.
_MAX_ITERATIONS = 100_000


def perceive(numbers: NDArray[np.integer], positions: NDArray[np.floating], charge: int = 0) -> tuple[str, str | None]:
    """Connectivity and SMILES of one structure.

    Parameters
    ----------
    numbers
        Atomic numbers, [N].
    positions
        Å, [N, 3].
    charge
        Total charge in units of e.

    Returns
    -------
    tuple
        The connectivity, a canonical text in which every bond is single and every hydrogen explicit; and the canonical SMILES
        without stereochemistry and hydrogens, None where no factor of `BOND_FACTORS` gives valences that add up.
    """
    first = ""
    with rdBase.BlockLogs():
        for factor in BOND_FACTORS:
            molecule = bonded(numbers, positions, factor)
            connectivity = Chem.MolToSmiles(molecule, isomericSmiles=False)
            first = first or connectivity
            try:
                rdDetermineBonds.DetermineBondOrders(
                    molecule, charge=charge, allowChargedFragments=True, embedChiral=False, maxIterations=_MAX_ITERATIONS
                )
                Chem.SanitizeMol(molecule)
                return connectivity, Chem.MolToSmiles(Chem.RemoveHs(molecule), isomericSmiles=False)
            except (ValueError, RuntimeError):  # RDKit's: valences do not add up, or too many iterations
                continue
    return first, None


def graphs(structures: Structures, charge: int = 0) -> list[str]:
    """Name of each molecule's graph, [M].

    The name is a SMILES where one could be perceived, the connectivity otherwise. Molecules of one connectivity get one name
    even where different resonance formulas were found for them.
    """
    perceived = [perceive(m.numbers, m.positions, charge) for m in structures]
    names: dict[str, str] = {}
    for connectivity, smiles in perceived:
        names[connectivity] = min(names.get(connectivity, smiles or connectivity), smiles or connectivity)
    return [names[connectivity] for connectivity, _ in perceived]
