"""Bonds of generated structures, perceived twice: by Open Babel, as in the paper, and by RDKit as a second opinion.

A molecule is valid where all of its atoms are connected and each has a proper valence (Gebauer et al., NeurIPS 2019). Open
Babel finds who is bonded to whom well, and goes wrong with the orders in one of twenty molecules of QM9, mostly at rings with
nitrogen; Gebauer et al. mend such molecules by rules, and here orders that leave an odd valence are sought again between the same
atoms.

A molecule's name is a canonical SMILES; with stereochemistry, that of the molecule or of its mirror image, whichever comes first,
so that mirror images have one name.

Shapes: N atoms of one molecule.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from openbabel import openbabel as ob
from rdkit import Chem, rdBase
from rdkit.Chem import rdDetermineBonds

from morered.calculators.mmff94_openbabel import bond_problem, perceive
from morered.perception import BOND_FACTORS, bonded

#: What RDKit's search for bond orders may take; a molecule that it takes longer for is none.
_MAX_ITERATIONS = 10_000


class Named(NamedTuple):
    """What Open Babel makes of a structure.

    Attributes
    ----------
    problem
        Why the molecule is not valid; empty where it is.
    smiles, graph
        Canonical SMILES with stereochemistry (of one of the mirror images) and without; empty where the molecule is not valid.
    mended
        Whether bond orders had to be sought again.
    """

    problem: str
    smiles: str = ""
    graph: str = ""
    mended: bool = False


def by_openbabel(numbers: NDArray[np.integer], positions: NDArray[np.floating]) -> Named:
    """Numbers [N] and positions [N, 3] in Å."""
    points = np.asarray(positions, np.float64)
    if not np.isfinite(points).all() or (len(points) > 1 and not np.ptp(points, axis=0).any()):
        return Named("no structure")
    molecule = perceive(np.asarray(numbers), points)
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


def by_rdkit(numbers: NDArray[np.integer], positions: NDArray[np.floating]) -> Chem.Mol | None:
    """The molecule with its conformer, numbers [N], positions [N, 3] in Å; None where it is no valid one.

    Valid: connected, neutral, without unpaired electrons, and with charges on bonded atoms only where they cancel each other (as
    in a nitro group).
    """
    points = np.asarray(positions, np.float64)
    if not np.isfinite(points).all():
        return None
    for factor in BOND_FACTORS:
        molecule = bonded(np.asarray(numbers), points, factor)
        if len(Chem.GetMolFrags(molecule)) > 1:
            return None  # a smaller factor only takes bonds away
        if _find_orders(molecule):
            return molecule
    return None


def _find_orders(molecule: Chem.RWMol) -> bool:
    """Let RDKit find the orders of the bonds, in place; whether there are any that make a valid molecule."""
    with rdBase.BlockLogs():
        try:
            rdDetermineBonds.DetermineBondOrders(
                molecule, charge=0, allowChargedFragments=True, embedChiral=False, maxIterations=_MAX_ITERATIONS
            )
            Chem.SanitizeMol(molecule)
        except (ValueError, RuntimeError):  # RDKit's: valences do not add up, or too many iterations
            return False
    return _is_sound(molecule)


def _is_sound(molecule: Chem.Mol) -> bool:
    for atom in molecule.GetAtoms():
        charge = atom.GetFormalCharge()
        if atom.GetNumRadicalElectrons():
            return False
        if charge and not any(charge * other.GetFormalCharge() < 0 for other in atom.GetNeighbors()):
            return False
    return True


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
    if not _find_orders(copy):
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
