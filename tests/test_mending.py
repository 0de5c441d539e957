"""Drawings and molecules without hydrogens: refused with the option that mends them, and mended by it."""

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from morered.cli import main
from morered.formats import Record, read
from morered.mending import mend


def drawn(smiles, hydrogens=False):
    molecule = Chem.MolFromSmiles(smiles)
    molecule = Chem.AddHs(molecule) if hydrogens else molecule
    AllChem.Compute2DCoords(molecule)
    Chem.WedgeMolBonds(molecule, molecule.GetConformer())
    return Chem.MolToMolBlock(molecule)


def bare(smiles):
    """A geometry without hydrogens."""
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(molecule, randomSeed=1)
    return Chem.MolToMolBlock(Chem.RemoveHs(molecule))


def relaxed(tmp_path, block, *options):
    (tmp_path / "in.sdf").write_text(block)
    code = main(
        ["relax", str(tmp_path / "in.sdf"), "-o", str(tmp_path / "out.sdf"), "--table", str(tmp_path / "t.csv"), *options]
    )
    molecule = next(iter(Chem.SDMolSupplier(str(tmp_path / "out.sdf"), removeHs=False)), None)
    return code, molecule, (tmp_path / "t.csv").read_text()


@pytest.mark.parametrize("hydrogens", [False, True])
def test_a_drawing_is_embedded_with_its_stereochemistry(tmp_path, hydrogens, capsys):
    block = drawn("C[C@H](N)C(=O)O", hydrogens)
    code, _, table = relaxed(tmp_path, block, "-q")
    assert code == 1
    assert "--embed makes one" in table
    code, molecule, _ = relaxed(tmp_path, block, "--embed", "-q")
    assert code == 0
    Chem.AssignStereochemistryFrom3D(molecule)
    assert Chem.MolToSmiles(Chem.RemoveHs(molecule)) == "C[C@H](N)C(=O)O"
    assert np.ptp(molecule.GetConformer().GetPositions(), axis=0).min() > 0.5
    other = drawn("C[C@@H](N)C(=O)O", hydrogens)
    _, molecule, _ = relaxed(tmp_path, other, "--embed", "-q")
    Chem.AssignStereochemistryFrom3D(molecule)
    assert Chem.MolToSmiles(Chem.RemoveHs(molecule)) == "C[C@@H](N)C(=O)O"


def test_a_drawing_whose_header_does_not_say_so_is_embedded_too(tmp_path):
    block = drawn("CC(=O)NC").replace("2D", "3D")
    assert read_one(tmp_path, block).lack == "hydrogens"
    code, molecule, _ = relaxed(tmp_path, block, "--embed", "-q")
    assert code == 0
    assert np.ptp(molecule.GetConformer().GetPositions()[:, 2]) > 0.5


def read_one(tmp_path, block):
    (tmp_path / "one.sdf").write_text(block)
    (record,) = read(tmp_path / "one.sdf").records
    return record


def test_missing_hydrogens_are_added_where_asked_for(tmp_path):
    block = bare("CC(=O)NC")
    code, _, table = relaxed(tmp_path, block, "-q")
    assert code == 1
    assert "7 hydrogen atoms are missing. --add-hydrogens adds them" in table
    heavy = Chem.MolFromMolBlock(block).GetConformer().GetPositions()
    record = read_one(tmp_path, block)
    assert mend([record], add_hydrogens=True, embed=False) == []
    assert record.problem is None
    assert np.allclose(record.positions[:5], heavy)  # they keep their places
    assert (record.numbers == 1).sum() == 7
    code, molecule, _ = relaxed(tmp_path, block, "--add-hydrogens", "-q")
    assert code == 0
    assert Chem.MolToSmiles(Chem.RemoveHs(molecule)) == "CNC(C)=O"


def test_charges_stay_and_values_of_atoms_that_are_no_more_are_told(tmp_path):
    record = read_one(tmp_path, bare("CC(=O)[O-]"))
    record.arrays["shift"] = np.zeros(4)
    (note,) = mend([record], add_hydrogens=True, embed=False)
    assert note.endswith("left out: shift")
    assert (record.charge, len(record.numbers), record.arrays) == (-1, 7, {})


def test_what_states_no_bonds_cannot_be_mended():
    positions = np.array([[0.0, 0, 0], [1.53, 0, 0], [2.0, 1.45, 0.1]])
    record = Record("bare", 0, "a.xyz", np.array([6, 6, 6], np.uint8), positions)
    mend([record], add_hydrogens=True, embed=False)
    assert record.problem == (
        "a.xyz, molecule 1 (bare): --add-hydrogens needs bonds, and its source states none: an SDF, a mol2 file or a SMILES does"
    )


def test_a_whole_molecule_is_left_alone(tmp_path):
    molecule = Chem.AddHs(Chem.MolFromSmiles("c1ccccc1"))
    AllChem.EmbedMolecule(molecule, randomSeed=1)
    record = read_one(tmp_path, Chem.MolToMolBlock(molecule))
    before = record.positions.copy()
    mend([record], add_hydrogens=True, embed=True)
    assert record.problem is None
    assert np.array_equal(record.positions, before)
