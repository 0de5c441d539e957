"""Inputs that are no molecule's geometry are refused with the reason and the way out."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from rdkit import Chem
from rdkit.Chem import rdDepictor

from morered.checks.proper import improper, misread
from morered.datasets import qm7
from morered.structures import Structures


def one(numbers, positions):
    return Structures.build([numbers], [positions], ["m"])


def drawn(smiles, hydrogens):
    made = Chem.MolFromSmiles(smiles)
    made = Chem.AddHs(made) if hydrogens else made
    rdDepictor.Compute2DCoords(made)
    return one([a.GetAtomicNum() for a in made.GetAtoms()], made.GetConformer().GetPositions())


def turned(structures):
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    return structures.with_positions(structures.positions @ rotation)


@pytest.mark.parametrize("hydrogens", [True, False])
@pytest.mark.parametrize("smiles", ["CC(=O)Nc1ccc(O)cc1", "CCO", "CC(C)Cc1ccc(cc1)C(C)C(=O)O", "c1ccccc1", "NCC(=O)O"])
def test_a_flat_drawing_is_refused_however_it_is_turned(smiles, hydrogens):
    for structures in (drawn(smiles, hydrogens), turned(drawn(smiles, hydrogens))):
        (reason,) = improper(structures)
        assert reason is not None
        assert "flat drawing" in reason or "hydrogens are missing" in reason
        assert "-s" in reason


@pytest.mark.parametrize("name", ["C6H6", "C2H4", "H2CO", "C2H2", "HCOOH", "H2O", "C4H4NH"])
def test_flat_molecules_are_no_drawings(name):
    atoms = molecule(name)
    assert improper(one(atoms.numbers, atoms.positions)) == [None]


def test_heavy_atoms_alone_lack_their_hydrogens():
    minima = qm7.load().without_columns()[range(20, 7000, 60)]
    heavy = [(m.numbers[m.numbers > 1], m.positions[m.numbers > 1], m.id) for m in minima if (m.numbers > 1).sum() > 3]
    reasons = improper(Structures.build(*zip(*heavy, strict=True)))
    assert np.mean(["hydrogens are missing" in (reason or "") for reason in reasons]) > 0.97  # C2O2S2 needs none


@pytest.mark.parametrize("width", [0.0, 0.05, 0.1, 0.2, 0.4])
def test_displaced_molecules_are_proper(width):
    minima = qm7.load().without_columns()[::7]
    positions = minima.positions + np.random.default_rng(1).normal(0, width, minima.positions.shape)
    displaced = minima.with_positions(positions)
    assert not any(improper(displaced))
    assert not misread(displaced)


def test_an_atom_name_read_as_an_element_is_told():
    alanine = molecule("CH3CH2OH")
    carbon = int(np.flatnonzero(alanine.numbers == 6)[1])
    alanine.numbers[carbon] = 20
    told = misread(one(alanine.numbers, alanine.positions))
    assert "no Ca" in told[0]
    assert "CA" in told[0]
    assert misread(one([20, 119], [[0, 0, 0], [0, 0, 0]])) == {}  # no element at all: refused for that
    assert misread(one([20, 6], [[0, 0, 0], [np.nan, np.inf, 0]])) == {}
    assert misread(one([20, 8], [[0, 0, 0], [0, 0, 1.82]])) == {}  # calcium oxide
    assert misread(one([17, 6], [[0, 0, 0], [0, 0, 1.78]])) == {}
    mercury = Atoms("HgC", [[0, 0, 0], [0, 0, 1.09]])
    assert "no Hg" in misread(one(mercury.numbers, mercury.positions))[0]
