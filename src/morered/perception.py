"""Molecules with bond orders and formal charges, perceived by RDKit from coordinates or from known bonds.

Bonds join atoms that are nearer than a multiple of their covalent radii. Their orders are those that give every atom a proper
valence and add up to the total charge (Kim and Kim, Bull. Korean Chem. Soc. 2015, 36, 1769, as RDKit has it).

Shapes: N atoms of one molecule, E bonds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdDetermineBonds

from morered.chemistry import covalent_radii

#: Factors on the sum of covalent radii below which two atoms are bonded, tried in turn until every valence can be satisfied: a
#: strained ring has distances across it that look like bonds (the 2.2 Å from C to S in a four-membered sultone).
BOND_FACTORS = (1.25, 1.2, 1.15)

#: Limits on the distance over the sum of covalent radii, between heavy atoms and with a hydrogen, tried in turn: distorted
#: molecules stretch bonds to light atoms most.
_LIMITS = (*((factor, factor) for factor in BOND_FACTORS), *((factor, 1.6) for factor in BOND_FACTORS), (1.35, 1.6))
#: Neighbours that an atom can have, by element.
_MOST = {1: 1, 5: 4, 6: 4, 7: 4, 8: 3, 9: 1, 14: 4, 15: 4, 16: 4, 17: 4, 35: 4, 53: 4}

#: What RDKit's search for bond orders may take; a molecule that it takes longer for is none.
_MAX_ITERATIONS = 10_000


def bonded(
    numbers: NDArray[np.integer] | Sequence[int], positions: NDArray[np.floating], factor: float = BOND_FACTORS[0]
) -> Chem.RWMol:
    """The molecule with its conformer and single bonds between atoms closer than ``factor`` times their covalent radii's sum."""
    molecule = _bare(numbers, positions)
    rdDetermineBonds.DetermineConnectivity(molecule, useVdw=True, covFactor=factor)
    return molecule


def ion_or_molecule(
    numbers: NDArray[np.integer] | Sequence[int],
    positions: NDArray[np.floating],
    charge: int = 0,
    bonds: NDArray[np.integer] | None = None,
) -> Chem.Mol | None:
    """A molecule with bond orders and formal charges, or several fragments of one; None where there is no proper one.

    Proper: without unpaired electrons, and with a charge on carbon or hydrogen only beside an opposite one (as in an isocyanide).

    Parameters
    ----------
    numbers, positions
        [N] and [N, 3] in Å, finite.
    charge
        Total charge in e.
    bonds
        [E, 2], who is bonded to whom where that is known; otherwise the distances tell: the nearest neighbours of each atom, as
        many as it can have, within one of several limits.
    """
    tried: set[tuple[tuple[int, int], ...]] = set()
    for pairs in [np.asarray(bonds).tolist()] if bonds is not None else _likely_bonds(np.asarray(numbers), np.asarray(positions)):
        if (key := tuple(sorted((int(i), int(j)) for i, j in pairs))) in tried:
            continue
        tried.add(key)
        molecule = _bare(numbers, positions)
        for i, j in key:
            molecule.AddBond(i, j, Chem.BondType.SINGLE)
        if _find_orders(molecule, charge):
            return molecule
    return None


def _likely_bonds(numbers: NDArray[np.integer], positions: NDArray[np.floating]) -> Iterator[list[tuple[int, int]]]:
    """Lists of bonded pairs i < j, the likeliest first."""
    first, second = np.triu_indices(len(numbers), k=1)
    lengths = np.linalg.norm(positions[first] - positions[second], axis=1)
    relative = lengths / (covalent_radii[numbers[first]] + covalent_radii[numbers[second]])
    hydrogen = (numbers[first] == 1) | (numbers[second] == 1)
    order = np.argsort(relative, kind="stable")
    for heavy, light in _LIMITS:
        room = [_MOST.get(int(z), 8) for z in numbers]
        pairs = []
        for k in order[relative[order] < np.where(hydrogen[order], light, heavy)].tolist():
            i, j = int(first[k]), int(second[k])
            if room[i] and room[j]:
                room[i], room[j] = room[i] - 1, room[j] - 1
                pairs.append((i, j))
        yield pairs


def _bare(numbers: NDArray[np.integer] | Sequence[int], positions: NDArray[np.floating]) -> Chem.RWMol:
    """Atoms without implicit hydrogens, with a conformer and without bonds."""
    molecule = Chem.RWMol()
    conformer = Chem.Conformer(len(numbers))
    for index, (number, position) in enumerate(zip(numbers, positions, strict=True)):
        atom = Chem.Atom(int(number))
        atom.SetNoImplicit(True)
        molecule.AddAtom(atom)
        conformer.SetAtomPosition(index, [float(x) for x in position])
    molecule.AddConformer(conformer)
    return molecule


def assign_orders(molecule: Chem.RWMol, charge: int = 0) -> bool:
    """Let RDKit find the orders of the bonds and the formal charges, in place; whether valences and charges add up so."""
    with rdBase.BlockLogs():
        try:
            rdDetermineBonds.DetermineBondOrders(
                molecule, charge=charge, allowChargedFragments=True, embedChiral=False, maxIterations=_MAX_ITERATIONS
            )
            Chem.SanitizeMol(molecule)
        except (ValueError, RuntimeError):  # RDKit's: valences do not add up, or too many iterations
            return False
    return True


def _find_orders(molecule: Chem.RWMol, charge: int) -> bool:
    """Find orders and formal charges, in place; whether there are any that make a proper molecule."""
    if not assign_orders(molecule, charge):
        return False
    if _join_charges(molecule):
        with rdBase.BlockLogs():
            try:
                Chem.SanitizeMol(molecule)
            except ValueError:
                return False
    return all(_is_proper(atom) for atom in molecule.GetAtoms())


def _join_charges(molecule: Chem.RWMol) -> bool:
    """Write S+-O- and P+-O- as double bonds, as force fields and people do; whether there was one."""
    joined = False
    for bond in molecule.GetBonds():
        ends = sorted((bond.GetBeginAtom(), bond.GetEndAtom()), key=lambda atom: atom.GetFormalCharge())
        if [(atom.GetAtomicNum(), atom.GetFormalCharge()) for atom in ends] in ([(8, -1), (15, 1)], [(8, -1), (16, 1)]):
            bond.SetBondType(Chem.BondType.DOUBLE)
            for atom in ends:
                atom.SetFormalCharge(0)
            joined = True
    return joined


def _is_proper(atom: Chem.Atom) -> bool:
    charge = atom.GetFormalCharge()
    if atom.GetNumRadicalElectrons():
        return False
    if not charge or atom.GetAtomicNum() not in (1, 6):
        return True
    return any(charge * other.GetFormalCharge() < 0 for other in atom.GetNeighbors())
