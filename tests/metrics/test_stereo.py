"""Stereochemistry from coordinates against RDKit's isomers: conformers of one isomer are the same, other isomers are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem, RDLogger
from rdkit.Chem import AllChem
from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers

from morered.metrics.stereo import signed_volumes, stereo_kept
from morered.structures import Structures

RDLogger.DisableLog("rdApp.*")

#: Molecules and how many stereoisomers each has.
MOLECULES = {
    "CC(O)F": 2,
    "CC(O)C(N)=O": 2,
    "CC(O)C(C)O": 3,
    "CC=CC": 2,
    "CC=CC(C)O": 4,
    "CC=NO": 2,
    "OC1CCC1O": 3,
    "CC1CC(C)C1": 2,
    "CC1CCC(O)CC1": 2,
    "NC1CC1C(F)Cl": 8,
    "C1CC2CCC1O2": 1,
    "FC=CC=CF": 3,
    "CCS(C)=O": 2,
    "C[S+](CC)CCO": 2,
    "CCP(C)CO": 2,
    "CS(=O)CC(C)O": 4,
    "CC1CCS(=O)C1": 4,
}
#: Molecules without stereoisomers, whatever their hydrogens and rotors do.
PLAIN = (
    "CC",
    "CCO",
    "CC(C)C",
    "C1CCCCC1",
    "CC(C)(C)C",
    "c1ccccc1",
    "CNC(C)=O",
    "C=CC=C",
    "C=C",
    "CC(F)(F)F",
    "CS(C)=O",
    "CP(C)CC",
    "CS(=O)(=O)CC",
    "CCCC",
    "N",
    "O=C=O",
)


def isomers(smiles: str) -> list[Chem.Mol]:
    """One molecule per stereoisomer, all with the same order of atoms."""
    found = list(EnumerateStereoisomers(Chem.AddHs(Chem.MolFromSmiles(smiles))))
    return [m for m in found if AllChem.EmbedMolecule(m, randomSeed=7) == 0]


def geometries(molecule: Chem.Mol, count: int = 1, seed: int = 7) -> list[np.ndarray]:
    """Conformers, relaxed with MMFF94 so that their bond lengths are sensible."""
    ids = AllChem.EmbedMultipleConfs(molecule, count, randomSeed=seed)
    AllChem.MMFFOptimizeMoleculeConfs(molecule, maxIters=2000)
    return [molecule.GetConformer(i).GetPositions() for i in ids]


def container(molecule: Chem.Mol, positions: list[np.ndarray]) -> Structures:
    numbers = [a.GetAtomicNum() for a in molecule.GetAtoms()]
    return Structures.build([numbers] * len(positions), positions, [str(i) for i in range(len(positions))])


@pytest.mark.parametrize("smiles", MOLECULES)
def test_isomers_are_told_apart_and_conformers_are_not(smiles: str) -> None:
    found = isomers(smiles)
    distinct = {Chem.MolToSmiles(Chem.RemoveHs(m)) for m in found}
    assert len(distinct) == MOLECULES[smiles]
    names = [Chem.MolToSmiles(Chem.RemoveHs(m)) for m in found]
    conformers = [geometries(m, 3) for m in found]
    for a, first in enumerate(conformers):
        for b, second in enumerate(conformers):
            before = container(found[0], [first[0]] * len(second))
            kept = stereo_kept(before, container(found[0], second))
            assert set(kept.tolist()) == {int(names[a] == names[b])}, (names[a], names[b])


@pytest.mark.parametrize("smiles", PLAIN)
def test_mirror_images_of_plain_molecules_are_the_same(smiles: str) -> None:
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    positions = geometries(molecule, 2)
    before = container(molecule, positions)
    after = container(molecule, [x * [1, 1, -1] for x in reversed(positions)])
    assert stereo_kept(before, after).tolist() == [1, 1]


def test_hydrogens_of_a_methylene_may_change_places() -> None:
    molecule = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    (x,) = geometries(molecule)
    hydrogens = [n.GetIdx() for n in molecule.GetAtomWithIdx(1).GetNeighbors() if n.GetAtomicNum() == 1]
    swapped = x.copy()
    swapped[hydrogens] = x[hydrogens[::-1]]
    assert stereo_kept(container(molecule, [x]), container(molecule, [swapped])).tolist() == [1]


def test_a_straight_end_has_no_cis_and_trans() -> None:
    """A diazo group's nitrogen is straight: the sign of the torsion across C=N is chance."""
    molecule = Chem.AddHs(Chem.MolFromSmiles("CC=[N+]=[N-]"))
    (x,) = geometries(molecule)
    across = np.cross(x[1] - x[0], x[2] - x[1])
    aside = np.cross(across, x[2] - x[1])
    bent = []
    for way in (0.08, -0.08):
        y = x.copy()
        y[3] = y[2] + 1.13 * (x[2] - x[1]) / np.linalg.norm(x[2] - x[1]) + way * aside / np.linalg.norm(aside)
        bent.append(y)
    assert stereo_kept(container(molecule, bent[:1]), container(molecule, bent[1:])).tolist() == [1]


def test_a_single_centre_that_is_inverted_is_found_among_kept_ones() -> None:
    molecule = Chem.AddHs(Chem.MolFromSmiles("CC(O)F"))
    (x,) = geometries(molecule)
    mirror = x * [1, 1, -1]
    after = container(molecule, [x, mirror, x])
    assert stereo_kept(container(molecule, [x, x, x]), after).tolist() == [1, 0, 1]


def test_other_bonds_leave_it_unknown() -> None:
    molecule = Chem.AddHs(Chem.MolFromSmiles("CC(O)F"))
    (x,) = geometries(molecule)
    torn = x.copy()
    torn[-1] += 5.0
    broken = x.copy()
    broken[0] = np.nan
    before = container(molecule, [x, x, x * 1.0])
    assert stereo_kept(before, container(molecule, [torn, x, broken])).tolist() == [-1, 1, -1]


def test_molecules_without_atoms_or_bonds_keep_what_they_have() -> None:
    odd = Structures.build([[], [8], [1, 1]], [np.empty((0, 3)), [[0, 0, 0]], [[0, 0, 0], [0, 0, 9.0]]], ["a", "b", "c"])
    assert stereo_kept(odd, odd).tolist() == [1, 1, 1]


def test_signed_volumes_of_ideal_and_flat_centres() -> None:
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * [[1.0], [2.0], [0.7], [1.1]]
    x = np.concatenate([[[0, 0, 0]], corners])
    centre, neighbours = np.array([0]), np.array([[1, 2, 3, 4]])
    volume = signed_volumes(x, centre, neighbours)
    assert abs(volume[0]) == pytest.approx(1.0)  # lengths do not count
    assert signed_volumes(x, centre, neighbours[:, [1, 0, 2, 3]])[0] == pytest.approx(-volume[0])
    flat = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0.0]])
    assert signed_volumes(flat, centre, neighbours)[0] == pytest.approx(0.0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), smiles=st.sampled_from(["CC(O)F", "CC=CC", "CC1CC(C)C1"]))
def test_rigid_motions_and_small_displacements_change_nothing(seed: int, smiles: str) -> None:
    molecule = _cached(smiles)
    x = molecule.GetConformer(0).GetPositions()
    generator = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    turn[:, 0] *= np.sign(np.linalg.det(turn))
    moved = (x + generator.normal(scale=0.03, size=x.shape)) @ turn + generator.normal(scale=10, size=3)
    assert stereo_kept(container(molecule, [x]), container(molecule, [moved])).tolist() == [1]


_CACHE: dict[str, Chem.Mol] = {}


def _cached(smiles: str) -> Chem.Mol:
    if smiles not in _CACHE:
        molecule = isomers(smiles)[0]
        geometries(molecule)
        _CACHE[smiles] = molecule
    return _CACHE[smiles]
