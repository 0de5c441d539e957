"""Bonds of generated structures as RDKit perceives them, and what makes a molecule valid and gives it a name.

A molecule is valid where all of its atoms are connected and each has a proper valence (Gebauer et al., NeurIPS 2019).
Its name is a canonical SMILES; with stereochemistry, that of the molecule or of its mirror image, whichever comes first, so that
mirror images have one name. The paper's numbers are of Open Babel's perception: `morered.generation.open_babel`.

Shapes: N atoms of one molecule.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from morered.perception import BOND_FACTORS, assign_orders, bonded


class Named(NamedTuple):
    """What is perceived in a structure.

    Attributes
    ----------
    problem
        Why the molecule is not valid; empty where it is.
    smiles, graph
        Canonical SMILES with stereochemistry (of one of the mirror images) and without; empty where the molecule is not valid.
    mended
        Whether Open Babel's bond orders had to be sought again.
    """

    problem: str
    smiles: str = ""
    graph: str = ""
    mended: bool = False


def by_rdkit(numbers: NDArray[np.integer], positions: NDArray[np.floating]) -> Chem.Mol | None:
    """The molecule with its conformer, numbers [N], positions [N, 3] in Å; None where it is no valid one.

    Valid: connected, neutral, without unpaired electrons, and with charges on bonded atoms only where they cancel each other (as
    in a nitro group).
    """
    if not is_structure(positions):
        return None
    points = np.asarray(positions, np.float64)
    for factor in BOND_FACTORS:
        molecule = bonded(np.asarray(numbers), points, factor)
        if len(Chem.GetMolFrags(molecule)) > 1:
            return None  # a smaller factor only takes bonds away
        if find_orders(molecule):
            return molecule
    return None


def is_structure(positions: NDArray[np.floating]) -> bool:
    """Whether positions [N, 3] are finite and not all the same."""
    points = np.asarray(positions, np.float64)
    return bool(np.isfinite(points).all() and (len(points) < 2 or np.ptp(points, axis=0).any()))


def named_by_rdkit(numbers: NDArray[np.integer], positions: NDArray[np.floating], molecule: Chem.Mol | None) -> Named:
    """Numbers [N] and positions [N, 3] in Å, with the ``molecule`` that `by_rdkit` perceives in them."""
    if molecule is not None:
        smiles = min(_canonical(molecule), _canonical(_mirrored(molecule)))
        return Named("", smiles, Chem.MolToSmiles(Chem.RemoveHs(molecule), isomericSmiles=False))
    if not is_structure(positions):
        return Named("no structure")
    fragments = len(Chem.GetMolFrags(bonded(np.asarray(numbers), np.asarray(positions, np.float64))))
    return Named(f"{fragments} fragments" if fragments > 1 else "no bond orders give every atom a proper valence")


def _canonical(molecule: Chem.Mol) -> str:
    """Canonical SMILES with the stereochemistry of the conformer."""
    copy = Chem.Mol(molecule)
    Chem.AssignStereochemistryFrom3D(copy)
    return Chem.MolToSmiles(Chem.RemoveHs(copy))


def _mirrored(molecule: Chem.Mol) -> Chem.Mol:
    copy = Chem.Mol(molecule)
    copy.GetConformer().SetPositions(copy.GetConformer().GetPositions() * np.array([-1.0, 1.0, 1.0]))
    return copy


def find_orders(molecule: Chem.RWMol) -> bool:
    """Let RDKit find the orders of the bonds, in place; whether there are any that make a valid molecule."""
    return assign_orders(molecule) and _is_sound(molecule)


def _is_sound(molecule: Chem.Mol) -> bool:
    for atom in molecule.GetAtoms():
        charge = atom.GetFormalCharge()
        if atom.GetNumRadicalElectrons():
            return False
        if charge and not any(charge * other.GetFormalCharge() < 0 for other in atom.GetNeighbors()):
            return False
    return True
