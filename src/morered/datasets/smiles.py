"""Molecules of lists of SMILES (`morered.formats.smiles`), and conformers of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from morered.formats.smiles import smiles_lines
from morered.formats.sources import SourceProblem, read_text
from morered.unique_names import UniqueNames


@dataclass(frozen=True)
class Entry:
    """A line of a list: where it stands, its SMILES and name, and what is wrong with it (None: nothing)."""

    name: str
    smiles: str
    line: int
    problem: str | None = None


class SmilesError(ValueError):
    """A SMILES of which no conformers can be had; the message is the reason."""


def read_smiles(path: str | os.PathLike[str]) -> list[Entry]:
    """The entries of a list, in order, malformed ones with their problem. Names are made unique ("water#2"); a molecule without
    one is called after its line.

    Raises
    ------
    ValueError
        If the file is empty or not text.
    """
    try:
        lines = read_text(path).splitlines()
    except SourceProblem as error:
        raise ValueError(f"{path}: {error}") from None
    entries: list[Entry] = []
    names = UniqueNames()
    for number, smiles, given in smiles_lines(lines):
        name = names.unique(given or f"line{number}")
        problem: str | None = None
        try:
            parse(smiles)
        except SmilesError as error:
            problem = f"{path}, line {number} ({name}): {error}"
        entries.append(Entry(name, smiles, number, problem))
    if not entries:
        raise ValueError(f"{path}: there is no SMILES in it")
    return entries


def parse(smiles: str, ions: bool = False, several: bool = False) -> Chem.Mol:
    """The molecule with explicit hydrogens.

    Parameters
    ----------
    smiles
        What is drawn.
    ions
        Take charged and open-shell molecules as well: what is written about them must say so.
    several
        Take several molecules (a salt, a dimer) as well.

    Raises
    ------
    SmilesError
        If it is malformed or several molecules, and without ``ions`` if it is charged or open-shell.
    """
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles, sanitize=False)
        if molecule is None:
            raise SmilesError(f"{smiles!r} is no SMILES")
        problems = Chem.DetectChemistryProblems(molecule)
        if problems:
            raise SmilesError(f"{smiles!r}: {problems[0].Message()}")
        Chem.SanitizeMol(molecule)
        Chem.AssignStereochemistry(molecule, cleanIt=True, force=True)  # marks at atoms that are no centres embed to nothing
        molecule = Chem.AddHs(molecule)
    if molecule.GetNumAtoms() == 0:
        raise SmilesError("it has no atoms")
    if any(atom.GetAtomicNum() == 0 for atom in molecule.GetAtoms()):
        raise SmilesError(f"{smiles!r} has an atom of no element")
    if not several and (fragments := len(Chem.GetMolFrags(molecule))) > 1:
        raise SmilesError(f"{smiles!r} is {fragments} molecules")
    if ions:
        return molecule
    if charge := Chem.GetFormalCharge(molecule):
        raise SmilesError(f"{smiles!r} has the charge {charge:+d}; only neutral molecules are dealt with")
    if any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms()):
        raise SmilesError(f"{smiles!r} has unpaired electrons")
    return molecule


def graph_of(molecule: Chem.Mol) -> str:
    """The connectivity in the sense of `morered.datasets.graphs.perceive`: every bond single, every hydrogen explicit."""
    bare = Chem.RWMol()
    for atom in molecule.GetAtoms():
        copy = Chem.Atom(atom.GetAtomicNum())
        copy.SetNoImplicit(True)
        bare.AddAtom(copy)
    for bond in molecule.GetBonds():
        bare.AddBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), Chem.BondType.SINGLE)
    return Chem.MolToSmiles(bare, isomericSmiles=False)


def drawing(smiles: str) -> tuple[Chem.Mol, int, int]:
    """What a SMILES says beside its atoms: the molecule with single and double bonds in place of aromatic ones, its total charge
    in e and its unpaired electrons.

    Raises
    ------
    SmilesError
        As `parse` with ions.
    """
    molecule = parse(smiles, ions=True)
    Chem.Kekulize(molecule, clearAromaticFlags=True)
    unpaired = sum(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms())
    return molecule, Chem.GetFormalCharge(molecule), unpaired


def conformers(smiles: str, count: int, seed: int, ions: bool = False) -> tuple[NDArray[np.uint8], list[NDArray[np.float64]]]:
    """Conformers by RDKit's ETKDG (version 3), cleaned up with MMFF94 where it has the parameters.

    Parameters
    ----------
    smiles
        What is drawn; stereocentres it leaves open are drawn at random for each conformer.
    count
        Conformers tried.
    seed
        Of the embedding.
    ions
        See `parse`.

    Returns
    -------
    tuple
        Atomic numbers [N], and for each conformer found its positions [N, 3] in Å.

    Raises
    ------
    SmilesError
        As `parse`, and if no conformer can be embedded.
    """
    molecule = parse(smiles, ions)
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()], dtype=np.uint8)
    if len(numbers) == 1:
        return numbers, [np.zeros((1, 3))]
    found = embedded(molecule, count, seed)
    clean_up(molecule)
    return numbers, [np.array(molecule.GetConformer(k).GetPositions()) for k in found]


def clean_up(molecule: Chem.Mol) -> None:
    """Let MMFF94 relax the conformers of a molecule, in place, where it has the parameters."""
    with rdBase.BlockLogs():
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(molecule):
            rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(molecule, numThreads=1, maxIters=500)


def embedded(molecule: Chem.Mol, count: int, seed: int) -> list[int]:
    """Give a molecule, in place of the conformers that it has, some by RDKit's ETKDG (version 3); returns their ids.

    Parameters
    ----------
    molecule
        With its hydrogens.
    count
        Conformers tried.
    seed
        Of the embedding.

    Raises
    ------
    SmilesError
        If no conformer can be embedded.
    """
    settings: Any = rdDistGeom.ETKDGv3()  # its stubs take its numbers for parameter sets
    settings.randomSeed = seed & 0x7FFFFFFF
    if count > 1 and not settings.randomSeed:
        settings.randomSeed = 1  # RDKit multiplies it by the conformer's number: from 0 all are the same
    settings.numThreads = 1
    settings.useSmallRingTorsions = True
    if len(Chem.GetMolFrags(molecule)) > 1:
        settings.embedFragmentsSeparately = False  # or they lie on each other
    with rdBase.BlockLogs():
        found = _embedded(molecule, count, settings)
        if not found:  # crowded cages: from random coordinates instead of a guess of the distances
            settings.useRandomCoords, settings.useSmallRingTorsions = True, False
            found = _embedded(molecule, count, settings)
        if not found:
            raise SmilesError(f"no conformer of {Chem.MolToSmiles(Chem.RemoveHs(molecule))!r} can be embedded")
    return found


def _embedded(molecule: Chem.Mol, count: int, settings: Any) -> list[int]:
    """The conformers that could be embedded; none where RDKit's own minimiser breaks down (cyclopentane with seed 0)."""
    try:
        return list(rdDistGeom.EmbedMultipleConfs(molecule, count, settings))
    except RuntimeError:
        return []
