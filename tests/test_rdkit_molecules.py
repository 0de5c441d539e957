"""RDKit molecules in, RDKit molecules out."""

import numpy as np
import pytest
from ase import Atoms
from rdkit import Chem
from rdkit.Chem import AllChem

import morered


def embedded(smiles, count=1, seed=1):
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMultipleConfs(molecule, count, randomSeed=seed)
    return molecule


@pytest.fixture
def ethanol():
    molecule = embedded("CCO")
    molecule.SetProp("_Name", "ethanol")
    molecule.SetProp("code", "000123")
    molecule.SetDoubleProp("dft_energy", -1.0)
    return molecule


def test_a_molecule_comes_back_relaxed_with_bonds_and_properties(ethanol):
    before = ethanol.GetConformer().GetPositions()
    relaxed = morered.relax(ethanol)
    assert isinstance(relaxed, Chem.Mol)
    assert relaxed.GetProp("verdict") == relaxed.GetConformer().GetProp("verdict") == "converged"
    assert relaxed.GetIntProp("steps") > 0
    assert 0.01 < relaxed.GetDoubleProp("moved") < 0.5
    assert Chem.MolToSmiles(Chem.RemoveHs(relaxed)) == "CCO"
    assert (relaxed.GetProp("_Name"), relaxed.GetProp("code")) == ("ethanol", "000123")
    assert not relaxed.HasProp("dft_energy")  # it belongs to the old geometry
    after = relaxed.GetConformer().GetPositions()
    assert not np.allclose(before, after, atol=1e-3)
    assert np.array_equal(ethanol.GetConformer().GetPositions(), before)  # a copy
    assert ethanol.HasProp("dft_energy")
    atoms = Atoms([a.GetAtomicNum() for a in ethanol.GetAtoms()], before, info={"name": "ethanol/0"})
    assert np.allclose(morered.relax(atoms).positions, after, atol=1e-6)


def test_all_conformers_or_those_chosen_are_relaxed():
    molecule = embedded("CCCO", 3)
    before = [conformer.GetPositions() for conformer in molecule.GetConformers()]
    everything = morered.relax(molecule)
    assert [c.GetProp("verdict") for c in everything.GetConformers()] == ["converged"] * 3
    assert not everything.HasProp("verdict")  # there are three
    one = morered.relax(molecule, conformers=[1])
    assert one.GetProp("verdict") == "converged"
    assert not one.GetConformer(0).HasProp("verdict")
    for k, conformer in enumerate(one.GetConformers()):
        assert np.array_equal(conformer.GetPositions(), before[k]) == (k != 1)
    assert np.allclose(one.GetConformer(1).GetPositions(), everything.GetConformer(1).GetPositions(), atol=1e-6)
    with pytest.raises(ValueError, match="molecule 1 has no conformer 7; it has 0, 1, 2"):
        morered.relax(molecule, conformers=[7])


def test_what_cannot_be_relaxed_is_told_and_stops_nothing(ethanol):
    bare = embedded("CCO")
    bare = Chem.RemoveHs(bare)
    drawn = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    AllChem.Compute2DCoords(drawn)
    given = [Chem.MolFromSmiles("CCO"), ethanol, bare, drawn, embedded("CC(=O)[O-]"), embedded("[O-]C(=O)C(=O)[O-]")]
    results = morered.relax(given)
    assert [m.GetProp("verdict") for m in results] == ["refused", "converged", "refused", "refused", "converged", "refused"]
    reasons = [m.GetProp("reason") for m in results]
    assert "it has no conformer" in reasons[0]
    assert "6 hydrogen atoms are missing" in reasons[2]
    assert "drawing" in reasons[3]
    assert results[4].GetProp("auto_method") == "organic"
    assert "charge -2" in reasons[5]
    with pytest.raises(ValueError, match="not both in one list"):
        morered.relax([ethanol, Atoms("H2", [[0, 0, 0], [0, 0, 0.74]])])


def test_a_force_field_gives_each_conformer_its_energy():
    relaxed = morered.relax(embedded("CCCO", 2), "mmff94", workers=1)
    energies = [conformer.GetDoubleProp("energy") for conformer in relaxed.GetConformers()]
    parameters = AllChem.MMFFGetMoleculeProperties(relaxed)
    for k, energy in enumerate(energies):
        field = AllChem.MMFFGetMoleculeForceField(relaxed, parameters, confId=k)
        assert energy == pytest.approx(field.CalcEnergy() / 23.060547830619, abs=1e-6)
