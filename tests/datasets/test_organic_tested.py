"""The inputs of test molecules and the minima they fall into."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

from morered import calculators
from morered.datasets.organic import choice, tested
from morered.datasets.organic.choice import Entry
from morered.datasets.organic.identity import skeleton


def entry(name: str, smiles: str) -> Entry:
    return Entry(name, smiles, skeleton(Chem.MolFromSmiles(smiles)), "drugs", 1)


@pytest.fixture(scope="module")
def made() -> tested.Tested:
    return tested.build([entry("a", "CCO"), entry("b", "C[NH3+]"), entry("c", "OB(O)C"), entry("d", "C[C@H](F)Cl")])


def test_each_molecule_has_an_embedded_input_and_one_by_mmff94_where_it_has_parameters(made: tested.Tested) -> None:
    assert made.inputs.structures.names == [
        *("a/etkdg", "a/mmff94", "b/etkdg", "b/mmff94", "c/etkdg", "d/etkdg", "d/mmff94"),
    ]
    assert made.inputs.failures == {"c/mmff94": "MMFF94 has no parameters for it"}
    assert made.inputs.structures.charges.tolist() == [0, 0, 1, 1, 0, 0, 0]
    molecule = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    molecule.AddConformer(Chem.Conformer(molecule.GetNumAtoms()))
    for m, at_rest in ((0, False), (1, True)):
        molecule.GetConformer().SetPositions(np.array(made.inputs.structures.molecule(m).positions, dtype=np.float64))
        field = rdForceFieldHelpers.MMFFGetMoleculeForceField(molecule, rdForceFieldHelpers.MMFFGetMoleculeProperties(molecule))
        assert (np.abs(field.CalcGrad()).max() < 0.1) == at_rest  # kcal/mol/Å


def test_minima_are_at_rest_at_the_reference_under_the_names_of_their_inputs(made: tested.Tested) -> None:
    minima = made.minima.structures
    assert made.minima.failures == {}
    assert minima.names == made.inputs.structures.names
    labels = calculators.get("aimnet2", dtype="float64").compute(minima)
    np.testing.assert_allclose(minima.column("energy"), labels.energies, atol=1e-6)
    assert np.linalg.norm(labels.forces, axis=1).max() < 0.0055
    assert (minima.column("calls") > 3).all()
    np.testing.assert_allclose(minima.column("energy")[0], minima.column("energy")[1], atol=0.15)  # ethanol's conformers


def test_the_frozen_molecules_are_of_the_three_sets() -> None:
    kinds = [entry.kind for entry in choice.frozen_tests()]
    assert {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)} == {"drugs": 1848, "scaffolds": 500, "qm9": 300}
