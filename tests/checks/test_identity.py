"""Whether a result is still the molecule that went in."""

import numpy as np
import pytest
from ase.build import molecule
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from morered.checks.judged import check
from morered.checks.known import STATED, stated_bonds, with_stated_bonds, without_stated
from morered.checks.table import CHECKS, GEOMETRY, IDENTITY
from morered.datasets import qm7
from morered.structures import Structures


def one(atoms, name="m"):
    return Structures.build([atoms.numbers], [atoms.positions], [name])


def embedded(smiles):
    made = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMolecule(made, randomSeed=1)
    numbers = [atom.GetAtomicNum() for atom in made.GetAtoms()]
    return Structures.build([numbers], [made.GetConformer().GetPositions()], [smiles]), made


def moved(structures, atom, by):
    positions = np.array(structures.positions)
    positions[atom] += by
    return structures.with_positions(positions)


@pytest.fixture(scope="module")
def minima():
    return qm7.load().without_columns()[range(0, 7000, 50)]


def test_every_check_has_a_value_and_minima_pass_all_of_them(minima):
    passed = check(minima, minima).passed
    assert passed.keys() == CHECKS.keys()
    for name in (*GEOMETRY, *IDENTITY):
        assert (passed[name] == 1).all(), name


def test_a_displaced_input_is_the_same_molecule_or_cannot_be_read(minima):
    for width, least in ((0.05, 0.98), (0.1, 0.6)):
        inputs = minima.with_positions(minima.positions + np.random.default_rng(0).normal(0, width, minima.positions.shape))
        passed = check(minima, inputs).passed
        assert (passed["bonds_kept"] == 0).mean() < 0.01
        assert (passed["bonds_kept"] == 1).mean() > least
        for name in GEOMETRY:
            assert (passed[name] == 1).all()


def test_a_heap_of_atoms_says_nothing_about_bonds(minima):
    heap = minima.with_positions(minima.positions + np.random.default_rng(0).normal(0, 0.5, minima.positions.shape))
    passed = check(minima, heap).passed
    assert (passed["bonds_kept"] == -1).mean() > 0.95
    assert (passed["bonds_kept"] == passed["stereo_kept"]).mean() > 0.95


def test_a_broken_and_a_formed_bond_are_named():
    ethanol = one(molecule("CH3CH2OH"))
    oxygen = int(np.flatnonzero(ethanol.numbers == 8)[0])
    away = moved(ethanol, oxygen, [0, 0, 3.0])
    broken = check(away, ethanol)
    assert broken.passed["bonds_kept"][0] == broken.passed["fragments_kept"][0] == 0
    assert broken.changed[0].endswith("broke")
    hydrogens = np.flatnonzero(ethanol.numbers == 1)[:1]
    positions = np.array(ethanol.positions)
    water = one(molecule("H2O"))
    apart = Structures.build(
        [[*ethanol.numbers, *water.numbers]], [[*positions, *(water.positions + np.array([0, 0, 8.0]))]], ["two"]
    )
    joined = np.array(apart.positions)
    joined[len(positions)] = joined[hydrogens[0]] + [0, 0, 0.95]
    found = check(apart.with_positions(joined), apart)
    assert found.passed["bonds_kept"][0] == 0
    assert found.changed[0].startswith("the bond ")


def test_an_isocyanide_that_becomes_a_nitrile_is_another_molecule():
    nitrile, isocyanide = one(molecule("CH3CN")), None
    swapped = np.array(nitrile.positions)
    nitrogen = int(np.flatnonzero(nitrile.numbers == 7)[0])
    carbons = np.flatnonzero(nitrile.numbers == 6)
    nearest = int(min(carbons, key=lambda c: np.linalg.norm(swapped[c] - swapped[nitrogen])))
    swapped[[nitrogen, nearest]] = swapped[[nearest, nitrogen]]
    isocyanide = nitrile.with_positions(swapped)
    found = check(nitrile, isocyanide)
    assert found.passed["bonds_kept"][0] == 0
    assert found.impossible[0] is None


def test_stated_bonds_count_more_than_distances():
    """Distances of the input show the nitrile's bonds already; the source says isocyanide."""
    structures, made = embedded("C[N+]#[C-]")
    stated = with_stated_bonds(structures, {"C[N+]#[C-]": made})
    pairs, known = stated_bonds(stated)
    assert known.all()
    assert {tuple(sorted(p)) for p in pairs.tolist()} == {
        tuple(sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx()))) for b in made.GetBonds()
    }
    swapped = np.array(structures.positions)
    swapped[[1, 2]] = swapped[[2, 1]]
    result = structures.with_positions(swapped)
    assert check(result, stated.with_positions(swapped)).passed["bonds_kept"][0] == 0
    assert check(result, result).passed["bonds_kept"][0] == 1
    assert STATED not in without_stated(stated).columns
    assert with_stated_bonds(structures, {}) is structures


def test_stated_bonds_stay_with_their_molecules():
    parts = [embedded(smiles) for smiles in ("CO", "C#C", "O")]
    together = Structures.concatenate([part for part, _ in parts])
    stated = with_stated_bonds(together, {part.names[0]: made for part, made in parts if part.names[0] != "C#C"})
    pairs, known = stated_bonds(stated[[2, 1, 0]])
    assert known.tolist() == [True, False, True]
    assert len(pairs) == 2 + 5


def test_an_inverted_centre_is_another_molecule():
    structures, _ = embedded("C[C@H](O)F")
    mirrored = structures.with_positions(structures.positions * [1, 1, -1])
    found = check(mirrored, structures)
    assert found.passed["bonds_kept"][0] == 1
    assert found.passed["stereo_kept"][0] == 0
    assert found.changed[0] == "the stereochemistry changed"


def test_without_inputs_a_molecule_must_be_in_one_piece():
    two = one(molecule("H2O") + molecule("H2O"))
    apart = two.with_positions(two.positions + np.repeat([[0, 0, 0], [0, 0, 5.0]], 3, axis=0))
    assert check(apart).passed["fragments_kept"].tolist() == [0]
    assert check(one(molecule("H2O"))).passed["fragments_kept"].tolist() == [1]
    assert check(apart, apart).passed["fragments_kept"].tolist() == [1]


def test_hydrogen_is_a_molecule_at_its_own_length():
    for length in (0.70, 0.78):
        found = check(*[Structures.build([[1, 1]], [[[0, 0, 0], [0, 0, length]]], ["h2"])] * 2)
        assert found.impossible == [None]
        assert all(found.passed[name][0] == 1 for name in (*GEOMETRY, "bonds_kept", "fragments_kept"))


def test_what_leaves_a_metal_is_told():
    ammonia = molecule("NH3")
    ammonia.positions -= ammonia.positions[0]
    numbers = [80, *ammonia.numbers]

    def at(distance):
        return Structures.build([numbers], [[[0, 0, distance], *ammonia.positions]], ["HgNH3"])

    for after, kept in ((2.4, 1), (2.6, 1), (3.1, 0)):
        assert check(at(after), at(2.3)).passed["fragments_kept"][0] == kept
    assert check(at(2.3), at(3.1)).passed["fragments_kept"][0] == 1  # coming nearer is no loss
