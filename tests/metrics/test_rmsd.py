"""Kabsch's superposition against spyrmsd and ASE, its invariances, and the ratio."""

import ase
import ase.build
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spyrmsd.rmsd import rmsd as spyrmsd

from morered.metrics.rmsd import align, kabsch, rmsd, superpose
from morered.structures import Structures
from structures_support import METHANE, random_structures, rotation

EXACT = 1e-12
"""Å: sums of some ten products of numbers below 10, and a rotation, in double precision."""


def disturbed(s: Structures, size: float, seed: int = 1) -> Structures:
    generator = np.random.default_rng(seed)
    return s.with_positions(s.positions + generator.normal(scale=size, size=s.positions.shape))


def moved(s: Structures, seed: int = 2) -> Structures:
    """Each molecule turned and shifted on its own."""
    generator = np.random.default_rng(seed)
    positions = np.array(s.positions)
    for m in range(len(s)):
        atoms = slice(*s.offsets[m : m + 2])
        positions[atoms] = positions[atoms] @ rotation(generator) + generator.normal(scale=5, size=3)
    return s.with_positions(positions)


@pytest.mark.parametrize("size", [0.01, 0.3, 3.0])
def test_rmsd_agrees_with_spyrmsd_and_ase(size: float) -> None:
    a = random_structures(40, low=3)
    b = moved(disturbed(a, size))
    found = rmsd(a, b)
    for m in range(len(a)):
        p, q = a.molecule(m), b.molecule(m)
        # spyrmsd finds the largest eigenvalue iteratively, to 1e-9, and subtracts: an error of 1e-9 in the squared deviation.
        reference = spyrmsd(p.positions, q.positions, p.numbers, q.numbers, minimize=True, atol=1e-12)
        assert found[m] == pytest.approx(reference, abs=1e-6)
        target, mobile = ase.Atoms(p.numbers, p.positions), ase.Atoms(q.numbers, q.positions)
        ase.build.minimize_rotation_and_translation(target, mobile)
        reference = np.sqrt(np.square(mobile.positions - target.positions).sum(axis=1).mean())
        assert found[m] == pytest.approx(reference, abs=1e-8)  # ASE builds its rotation from a quaternion's products


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 12), st.integers(0, 2**32 - 1), st.floats(0, 2))
def test_rmsd_is_symmetric_and_blind_to_rigid_motion(n: int, seed: int, size: float) -> None:
    a = random_structures(3, seed=seed, low=n, high=n)
    b = disturbed(a, size, seed)
    expected = rmsd(a, b)
    np.testing.assert_allclose(rmsd(b, a), expected, atol=EXACT)
    np.testing.assert_allclose(rmsd(moved(a, seed), moved(b, seed + 1)), expected, atol=EXACT)
    assert (expected <= np.sqrt(np.square(a.centred().positions - b.centred().positions).sum(axis=1).max()) + EXACT).all()
    np.testing.assert_allclose(rmsd(a, moved(a, seed)), 0, atol=EXACT)


def test_rotations_are_proper_and_best() -> None:
    generator = np.random.default_rng(3)
    p, q = generator.normal(size=(2, 200, 6, 3))
    found = kabsch(p, q)
    np.testing.assert_allclose(np.linalg.det(found), 1, atol=EXACT)
    np.testing.assert_allclose(found @ np.swapaxes(found, -1, -2), np.broadcast_to(np.eye(3), found.shape), atol=EXACT)
    p, q = p - p.mean(axis=1, keepdims=True), q - q.mean(axis=1, keepdims=True)
    best = np.square(p @ found - q).sum(axis=(1, 2))
    for _ in range(200):  # no other rotation is better, far ones and near ones
        other = rotation(generator)
        assert (best <= np.square(p @ other - q).sum(axis=(1, 2)) + EXACT).all()
        near, _ = np.linalg.qr(found + 0.05 * generator.normal(size=(3, 3)))
        near *= np.sign(np.linalg.det(near))[:, None, None]
        assert (best <= np.square(p @ near - q).sum(axis=(1, 2)) + EXACT).all()


def test_a_mirror_image_does_not_fit() -> None:
    chiral = Structures.build([[6, 1, 9, 17, 35]], [METHANE[1]], ["chiral"])
    mirrored = chiral.with_positions(chiral.positions * [1, 1, -1])
    assert rmsd(chiral, mirrored)[0] > 0.5
    flat = Structures.build([[8, 1, 1]], [[[0, 0, 0], [1, 0, 0], [0, 2, 0]]], ["flat"])  # its own mirror image
    assert rmsd(flat, flat.with_positions(flat.positions * [1, -1, 1]))[0] < EXACT


def test_lines_points_and_coinciding_atoms_have_a_rotation() -> None:
    line = np.array([[0.0, 0, 0], [0, 0, 1], [0, 0, 3]])
    for p in (line, line[:1], np.zeros((4, 3))):
        for q in (p @ rotation(np.random.default_rng(4)) + 1, p):
            np.testing.assert_allclose(superpose(p, q), q, atol=EXACT)
            np.testing.assert_allclose(np.linalg.det(kabsch(p, q)), 1, atol=EXACT)


def test_align_keeps_the_frame_of_the_target() -> None:
    target = random_structures(30)
    mobile = moved(disturbed(target, 0.1))
    aligned = align(mobile, target)
    differences = np.sqrt(target.per_molecule_mean(np.square(aligned.positions - target.positions).sum(axis=1)))
    np.testing.assert_allclose(differences, rmsd(mobile, target), atol=EXACT)
    assert aligned.same_as(align(mobile, target))
    assert aligned.columns.keys() == mobile.columns.keys()


def test_a_broken_molecule_gives_nan_and_touches_no_other() -> None:
    target = random_structures(10, low=4, high=4)
    mobile = disturbed(target, 0.1)
    positions = np.array(mobile.positions)
    positions[5] = np.nan, 0, np.inf
    broken = mobile.with_positions(positions)
    expected = rmsd(mobile, target)
    expected[1] = np.nan
    np.testing.assert_array_equal(rmsd(broken, target), expected)
    aligned = align(broken, target)
    np.testing.assert_array_equal(aligned.positions[4:8], positions[4:8])
    np.testing.assert_array_equal(aligned.positions[8:], align(mobile, target).positions[8:])
    empty = Structures.build([[]], [[]], ["nothing"])
    assert np.isnan(rmsd(empty, empty)).tolist() == [True]


def test_other_atoms_are_refused() -> None:
    a = random_structures(3, seed=1, low=4, high=4)
    with pytest.raises(ValueError, match="other elements"):
        rmsd(a, random_structures(3, seed=2, low=4, high=4))
    with pytest.raises(ValueError, match="cannot be compared"):
        align(a, a[:2])
