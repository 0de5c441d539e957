"""Which structures are valid molecules, and which of them are the same: known-good and known-broken ones."""

import numpy as np
import pytest
from ase.build import molecule
from generation_support import BROKEN, GOOD
from rdkit import Chem

from morered.calculators.mmff94_openbabel import bond_problem, perceive
from morered.datasets import qm7
from morered.generation.open_babel import by_openbabel
from morered.generation.perception import by_rdkit, named_by_rdkit


@pytest.fixture(scope="module")
def minima():
    """Every ninety-first minimum of QM7, two of which Open Babel gives odd orders, and one that it does."""
    everything = qm7.load()
    odd = everything.index_of(["qm7/0486", "qm7/2011", "qm7/2776"])
    return everything[np.concatenate([odd, np.arange(0, len(everything), 91)])]


@pytest.mark.parametrize("name", GOOD)
def test_good_molecules_are_valid_and_have_their_smiles(name):
    atoms = molecule(name)
    named = by_openbabel(atoms.numbers, atoms.positions)
    assert (named.problem, named.smiles, named.mended) == ("", GOOD[name], False)
    seen = by_rdkit(atoms.numbers, atoms.positions)
    wanted = "C[N+](=O)[O-]" if name == "CH3NO2" else GOOD[name]
    assert Chem.MolToSmiles(Chem.RemoveHs(seen)) == Chem.CanonSmiles(wanted)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_molecules_are_not_and_the_reason_is_told(name):
    make, words = BROKEN[name]
    atoms = make()
    named = by_openbabel(atoms.numbers, atoms.positions)
    assert words in named.problem
    assert named.smiles == named.graph == ""
    seen = by_rdkit(atoms.numbers, atoms.positions)
    assert seen is None
    named = named_by_rdkit(atoms.numbers, atoms.positions, seen)
    assert named.problem
    assert named.smiles == named.graph == ""
    assert ("fragments" in named.problem) == ("fragments" in words)


def test_atoms_on_one_place_or_nowhere_are_no_structure():
    numbers = np.array([6, 1, 1, 1, 1])
    for positions in (np.zeros((5, 3)), np.full((5, 3), np.nan)):
        assert by_openbabel(numbers, positions).problem == "no structure"
        assert by_rdkit(numbers, positions) is None
        assert named_by_rdkit(numbers, positions, None).problem == "no structure"


def rdkit_s(numbers, positions):
    return named_by_rdkit(numbers, positions, by_rdkit(numbers, positions))


def test_real_minima_are_valid_and_orders_that_open_babel_misses_are_mended(minima):
    named = [by_openbabel(m.numbers, m.positions) for m in minima]
    assert [name.problem for name in named] == [""] * len(minima)
    for m, name in zip(minima, named, strict=True):
        assert name.mended == (bond_problem(perceive(m.numbers, m.positions)) is not None)
    assert sum(name.mended for name in named) >= 3
    graphs = [graph.decode() for graph in minima.column("graph").tolist()]
    agree = [Chem.CanonSmiles(name.graph) == Chem.CanonSmiles(graph) for name, graph in zip(named, graphs, strict=True)]
    assert np.mean(agree) > 0.98  # QM7 counts resonance formulas


@pytest.mark.parametrize("named", [by_openbabel, rdkit_s])
def test_a_name_depends_neither_on_order_nor_pose_nor_on_which_mirror_image_it_is(minima, named):
    rng = np.random.default_rng(0)
    for m in minima:
        order, turn = rng.permutation(len(m.numbers)), np.linalg.qr(rng.normal(size=(3, 3)))[0]
        again = named(m.numbers[order], (m.positions @ turn)[order])
        assert again == named(m.numbers, m.positions)


def test_rdkit_s_names_are_the_graphs_of_the_minima(minima):
    graphs = [graph.decode() for graph in minima.column("graph").tolist()]
    named = [rdkit_s(m.numbers, m.positions) for m in minima]
    assert np.mean([not name.problem for name in named]) > 0.98
    agree = [Chem.CanonSmiles(name.graph) == Chem.CanonSmiles(graph) for name, graph in zip(named, graphs, strict=True)]
    assert np.mean(agree) > 0.98
    assert all(Chem.CanonSmiles(name.smiles) == name.smiles for name in named)  # RDKit reads its names as it writes them


@pytest.mark.parametrize("named", [by_openbabel, rdkit_s])
def test_diastereomers_have_names_of_their_own_and_one_graph(named):
    cis, trans = (_embedded(smiles, named) for smiles in ("C/C=C\\C", "C/C=C/C"))
    assert cis.smiles != trans.smiles
    assert cis.graph == trans.graph == "CC=CC"


def _embedded(smiles, named):
    from morered.datasets.smiles import conformers

    numbers, (positions,) = conformers(smiles, 1, seed=0)
    return named(numbers, positions)
