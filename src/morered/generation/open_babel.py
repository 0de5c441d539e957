"""Bonds of generated structures as Open Babel perceives them, as in the paper.

It finds who is bonded to whom well, and goes wrong with the orders in one of twenty molecules of QM9, mostly at rings with
nitrogen; Gebauer et al. mend such molecules by rules, and here orders that leave an odd valence are sought again between the same
atoms, by RDKit. Names as in `morered.generation.perception`.

Shapes: N atoms of one molecule.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from morered.calculators.mmff94_openbabel import bond_problem, perceive
from morered.extras import needs
from morered.generation.perception import Named, find_orders, is_structure

with needs("mmff"):
    from openbabel import openbabel as ob


def by_openbabel(numbers: NDArray[np.integer], positions: NDArray[np.floating]) -> Named:
    """Numbers [N] and positions [N, 3] in Å."""
    if not is_structure(positions):
        return Named("no structure")
    molecule = perceive(np.asarray(numbers), np.asarray(positions, np.float64))
    problem = bond_problem(molecule)
    mended = False
    if problem is not None and len(molecule.Separate()) == 1:
        mended = _mend(molecule)
        problem = None if mended else problem
    if problem is not None:
        return Named(problem)
    smiles = _canonical(molecule)
    if "@" in smiles:
        smiles = min(smiles, _canonical(_mirrored(molecule)))
    return Named("", smiles, _canonical(molecule, stereo=False), mended)


def _mend(molecule: Any) -> bool:
    """Give an Open Babel molecule the bond orders that RDKit finds for its bonds; whether it found any."""
    copy = Chem.RWMol()
    for atom in ob.OBMolAtomIter(molecule):
        bare = Chem.Atom(atom.GetAtomicNum())
        bare.SetNoImplicit(True)
        copy.AddAtom(bare)
    ends = [(bond.GetBeginAtomIdx() - 1, bond.GetEndAtomIdx() - 1) for bond in ob.OBMolBondIter(molecule)]
    for i, j in ends:
        copy.AddBond(i, j, Chem.BondType.SINGLE)
    if not find_orders(copy):
        return False
    Chem.Kekulize(copy, clearAromaticFlags=True)
    _without_charges(copy)
    for atom, found in zip(ob.OBMolAtomIter(molecule), copy.GetAtoms(), strict=True):
        atom.SetFormalCharge(found.GetFormalCharge())
        atom.SetAromatic(False)
    for i, j in ends:
        bond = molecule.GetBond(i + 1, j + 1)
        bond.SetBondOrder(int(copy.GetBondBetweenAtoms(i, j).GetBondTypeAsDouble()))
        bond.SetAromatic(False)
    molecule.SetAromaticPerceived(False)  # by the wrong orders
    molecule.SetChiralityPerceived(False)
    return bond_problem(molecule) is None


def _without_charges(molecule: Chem.RWMol) -> None:
    """Write nitro groups and N-oxides as Open Babel does, with five-valent nitrogen: one molecule has one name."""
    for bond in molecule.GetBonds():
        ends = sorted((bond.GetBeginAtom(), bond.GetEndAtom()), key=lambda atom: atom.GetFormalCharge())
        if [(atom.GetAtomicNum(), atom.GetFormalCharge()) for atom in ends] == [(8, -1), (7, 1)]:
            bond.SetBondType(Chem.BondType.DOUBLE)
            for atom in ends:
                atom.SetFormalCharge(0)


def _mirrored(molecule: Any) -> Any:
    """An Open Babel molecule's mirror image, its stereochemistry still to be perceived."""
    mirror = ob.OBMol(molecule)
    for atom in ob.OBMolAtomIter(mirror):
        atom.SetVector(-atom.GetX(), atom.GetY(), atom.GetZ())
    mirror.SetChiralityPerceived(False)
    return mirror


def _canonical(molecule: Any, stereo: bool = True) -> str:
    """Open Babel's canonical SMILES of one of its molecules that has coordinates."""
    writer = ob.OBConversion()
    writer.SetOutFormat("can")
    writer.AddOption("n", writer.OUTOPTIONS)  # no title
    if not stereo:
        writer.AddOption("i", writer.OUTOPTIONS)
    return writer.WriteString(molecule, True).split()[0]
