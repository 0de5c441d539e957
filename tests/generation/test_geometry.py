"""PoseBusters' geometry rules: real molecules pass, and each kind of fault is found and named."""

import numpy as np
import pytest
from ase.build import molecule
from rdkit import Chem
from rdkit.Chem import rdMolTransforms

from morered.datasets import qm7
from morered.datasets.smiles import conformers
from morered.generation import geometry
from morered.generation.perception import by_rdkit


def placed(name, change):
    """A good molecule of which some atoms were moved without its bonds being perceived again."""
    atoms = molecule(name)
    seen = Chem.Mol(by_rdkit(atoms.numbers, atoms.positions))
    positions = atoms.positions.copy()
    change(positions)
    for k, point in enumerate(positions.tolist()):
        seen.GetConformer().SetAtomPosition(k, point)
    return seen


def test_real_minima_are_sound():
    minima = qm7.load()[::101]
    problems = [geometry.problem(by_rdkit(m.numbers, m.positions)) for m in minima]
    assert problems == [""] * len(minima)


def test_a_bond_that_is_too_long_or_too_short_is_named():
    def stretch(positions):
        positions[0] += 0.45 * (positions[0] - positions[1])

    def shrink(positions):
        positions[0] -= 0.4 * (positions[0] - positions[1])

    assert geometry.problem(placed("C2H2", lambda positions: None)) == ""
    for change in (stretch, shrink):
        assert geometry.problem(placed("C2H2", change)) == "bond length at C1–C2"


def test_an_angle_that_is_too_narrow_is_named():
    def narrow(positions):  # the second hydrogen of water, turned to 40° from the first
        oxygen, first = positions[0].copy(), positions[1] - positions[0]
        side = positions[2] - oxygen - ((positions[2] - oxygen) @ first) * first / (first @ first)
        side *= np.linalg.norm(first) / np.linalg.norm(side)
        angle = np.radians(40)
        positions[2] = oxygen + np.cos(angle) * first + np.sin(angle) * side

    assert geometry.problem(placed("H2O", narrow)) == "angle at H2–H3"


def test_a_ring_that_is_not_flat_is_named():
    def fold(positions):
        positions[:, 2] += 0.35 * np.where(np.arange(12) % 2, 1, -1) * (np.arange(12) < 6)

    assert "aromatic ring at C1 is not flat" in geometry.problem(placed("C6H6", fold))


def turned(smiles, *angles):
    """A molecule whose chain's torsions are set to these angles, its bonds as they are."""
    numbers, (positions,) = conformers(smiles, 1, seed=0)
    seen = by_rdkit(numbers, positions)
    assert geometry.problem(seen) == ""
    chain = seen.GetSubstructMatch(Chem.MolFromSmarts("~".join(["C"] * (len(angles) + 3))))
    for k, angle in enumerate(angles):
        rdMolTransforms.SetDihedralDeg(seen.GetConformer(), *chain[k : k + 4], angle)
    return seen


def test_a_twisted_double_bond_is_named():
    assert geometry.problem(turned("CC=CC", 0.0)) == ""
    assert "double bond" in geometry.problem(turned("CC=CC", 60.0))


def test_a_chain_that_runs_into_itself_is_named():
    assert geometry.problem(turned("CCCCCC", 180.0, 60.0, 180.0)) == ""
    assert geometry.problem(turned("CCCCCC", 0.0, 0.0, 0.0)).startswith("clash of C1–C")


@pytest.mark.parametrize("seed", range(3))
def test_noise_breaks_the_geometry(seed):
    atoms = molecule("CH3CH2OH")
    rng = np.random.default_rng(seed)

    def shake(positions):
        positions += 0.5 * rng.normal(size=positions.shape)

    assert geometry.problem(placed("CH3CH2OH", shake)) != ""
    assert geometry.problem(by_rdkit(atoms.numbers, atoms.positions)) == ""
