"""Bonds and contacts against plain loops, ASE and RDKit."""

import ase.build
import ase.data
import numpy as np
import pytest
from ase.neighborlist import natural_cutoffs, neighbor_list
from rdkit import Chem
from rdkit.Chem import AllChem
from scipy.sparse import coo_array, csgraph

from morered import chemistry
from morered.structures import Structures
from structures_support import METHANE, WATER, random_structures

SMILES = ["CCO", "c1ccccc1", "CC(=O)N", "C1CC1S", "N#CC=O", "OC1CCCCC1N"]


def from_smiles(smiles: str) -> tuple[Chem.Mol, np.ndarray, np.ndarray]:
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(molecule, randomSeed=7) == 0
    AllChem.MMFFOptimizeMolecule(molecule)
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])
    return molecule, numbers, np.array(molecule.GetConformer().GetPositions())


@pytest.mark.parametrize("smiles", SMILES)
def test_bonds_are_those_of_the_formula(smiles: str) -> None:
    molecule, numbers, positions = from_smiles(smiles)
    expected = sorted(tuple(sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx()))) for b in molecule.GetBonds())
    assert [tuple(pair) for pair in chemistry.bonds(numbers, positions)] == expected


@pytest.mark.parametrize("name", ["CH3CH2OH", "C6H6", "CH3SH", "trans-butane", "C60"])
def test_bonds_agree_with_ase(name: str) -> None:
    atoms = ase.build.molecule(name)
    i, j = neighbor_list("ij", atoms, natural_cutoffs(atoms, mult=chemistry.BOND_SCALE))
    assert chemistry.bonds(atoms.numbers, atoms.positions).tolist() == sorted([a, b] for a, b in zip(i, j, strict=True) if a < b)


def test_radii_are_ases() -> None:
    np.testing.assert_array_equal(chemistry.covalent_radii, ase.data.covalent_radii)


def test_many_molecules_agree_with_one_by_one() -> None:
    s = random_structures(150, low=0)
    bonds, contacts = chemistry.molecule_bonds(s), chemistry.closest_contacts(s)
    for m, molecule in enumerate(s):
        mine = bonds.atoms[slice(*bonds.offsets[m : m + 2])] - s.offsets[m]
        distances = np.linalg.norm(molecule.positions[:, None] - molecule.positions, axis=-1)
        radii = chemistry.covalent_radii[molecule.numbers]
        expected = [
            [i, j]
            for i in range(len(radii))
            for j in range(i + 1, len(radii))
            if distances[i, j] < chemistry.BOND_SCALE * (radii[i] + radii[j])
        ]
        assert mine.tolist() == expected
        others = distances[np.triu_indices(len(radii), k=1)]
        np.testing.assert_equal(contacts[m], others.min() if len(others) else np.nan)


def test_large_molecules_agree_with_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    s = random_structures(60)
    dense = chemistry.molecule_bonds(s), chemistry.closest_contacts(s)
    monkeypatch.setattr(chemistry, "_DENSE_ATOMS", 4)
    np.testing.assert_array_equal(chemistry.molecule_bonds(s).atoms, dense[0].atoms)
    np.testing.assert_array_equal(chemistry.molecule_bonds(s).offsets, dense[0].offsets)
    np.testing.assert_allclose(chemistry.closest_contacts(s), dense[1], rtol=1e-14, equal_nan=True)  # two ways to sum squares
    assert chemistry.same_bonds(s, s).all()


def test_components_are_those_of_scipy() -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        n, edges = rng.integers(1, 50), rng.integers(0, 60)
        pairs = rng.integers(0, n, (edges, 2))
        graph = coo_array((np.ones(edges), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
        labels = csgraph.connected_components(graph, directed=False)[1]
        firsts = [int(np.flatnonzero(labels == label)[0]) for label in labels]
        assert chemistry.component_firsts(pairs, n).tolist() == firsts


def test_a_long_chain_in_any_order_is_one_component() -> None:
    order = np.random.default_rng(4).permutation(10_000)
    chain = np.stack([order[:-1], order[1:]], axis=1)
    assert not chemistry.component_firsts(chain, len(order)).any()


def test_same_bonds_sees_a_broken_one() -> None:
    s = Structures.build([WATER[0], METHANE[0], [2]], [WATER[1], METHANE[1], [[0, 0, 0]]], ["water", "methane", "helium"])
    stretched = np.array(s.positions)
    stretched[4] *= 3
    assert chemistry.same_bonds(s, s).tolist() == [True, True, True]
    assert chemistry.same_bonds(s, s.with_positions(stretched)).tolist() == [True, False, True]
    assert chemistry.same_bonds(s, s.with_positions(s.positions + 1e-3)).tolist() == [True, True, True]


def test_coordinates_that_are_not_finite_are_no_bonds_and_no_contacts(monkeypatch: pytest.MonkeyPatch) -> None:
    s = Structures.build([METHANE[0], WATER[0]], [METHANE[1], WATER[1]], ["methane", "water"])
    positions = np.array(s.positions)
    positions[0], positions[5:] = np.nan, np.inf
    broken = s.with_positions(positions)
    for limit in (512, 2):
        monkeypatch.setattr(chemistry, "_DENSE_ATOMS", limit)
        assert len(chemistry.molecule_bonds(broken).atoms) == 0
        assert chemistry.same_bonds(s, broken).tolist() == [False, False]
        contacts = chemistry.closest_contacts(broken)
        assert contacts[0] == pytest.approx(1.26 * np.sqrt(2))
        assert np.isnan(contacts[1])


def test_other_atoms_are_refused() -> None:
    water = Structures.build([WATER[0]], [WATER[1]], ["water"])
    with pytest.raises(ValueError, match="1 molecules cannot be compared with 2"):
        chemistry.same_bonds(water, Structures.concatenate([water, water]))
    with pytest.raises(ValueError, match=r"molecule 1 \(water\) has 3 atoms here and 5 there"):
        chemistry.same_bonds(water, Structures.build([METHANE[0]], [METHANE[1]], ["methane"]))
    with pytest.raises(ValueError, match=r"molecule 1 \(water\) has other elements"):
        chemistry.same_bonds(water, Structures.build([[1, 8, 1]], [WATER[1]], ["water"]))
