"""A result does not hang on how the input was turned."""

import numpy as np
import pytest
from ase.build import molecule

import morered
from morered.formats import to_ase
from morered.metrics.rmsd import rmsd
from morered.relaxation import DiffusionMethod, Recording, relax
from morered.relaxation.methods import preset
from morered.relaxation.samplers.frames import GRID, own_frames, turned
from morered.structures import Structures


def rotations(count, seed=0):
    found = []
    for matrix in np.random.default_rng(seed).normal(size=(count, 3, 3)):
        q = np.linalg.qr(matrix)[0]
        found.append(q * np.sign(np.linalg.det(q)))
    return found


def test_a_molecule_spans_one_frame_however_it_is_turned(molecules):
    first = turned(molecules, own_frames(molecules)).positions
    for rotation in rotations(5):
        rotated = molecules.with_positions(molecules.positions @ rotation + 3.0)
        np.testing.assert_array_equal(turned(rotated, own_frames(rotated)).positions, first)
    np.testing.assert_allclose(np.linalg.det(own_frames(molecules)), 1.0)
    assert rmsd(molecules.with_positions(first), molecules).max() < GRID


@pytest.mark.parametrize("name", ["CO2", "CH4", "C6H6", "H2"])
def test_symmetric_and_linear_molecules_have_a_frame(name):
    atoms = molecule(name)
    one = Structures.build([atoms.numbers], [atoms.positions], [name])
    np.testing.assert_allclose(own_frames(one)[0] @ own_frames(one)[0].T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("name", ["CH3CONH2", "CH3CN", "CH3SH", "CH3CH2OH"])
def test_turned_twenty_times_a_molecule_gets_one_verdict_and_one_structure(name):
    """Far from their minima, so that further starts are tried, whose noise once lay in the frame of the input."""
    atoms = molecule(name)
    atoms.positions += np.random.default_rng(3).normal(0, 0.15, atoms.positions.shape)
    method = preset("fast")
    first = None
    for rotation in [np.eye(3), *rotations(19)]:
        one = Structures.build([atoms.numbers], [atoms.positions @ rotation], [name])
        done = relax(one, method).structures
        first = first or done
        assert done.column("verdict").tolist() == first.column("verdict").tolist()
        assert done.column("steps").tolist() == first.column("steps").tolist()
        assert rmsd(done.without_columns(), first.without_columns()).max() < 1e-6


def test_frames_of_the_trajectory_are_in_the_frame_of_the_input(molecules, jt):
    start = molecules.with_positions(molecules.positions + np.random.default_rng(0).normal(0, 0.05, molecules.positions.shape))
    method = DiffusionMethod(noise=jt, time=jt, move="jump", damping=0.1, steps=3)
    done = relax(start, method, recording=Recording(frames=True))
    for m, given in enumerate(start.centred()):
        first = done.trajectories.trajectory(m).frames[0]
        assert np.abs(first - given.positions).max() < 0.1  # a tenth of the way, and not turned


def test_nameless_atoms_have_one_name_in_every_frame(molecules, jt):
    atoms = to_ase(molecules)[4]
    atoms.info.clear()
    stochastic = DiffusionMethod(noise=jt, time=jt, steps=5)
    first = morered.relax(atoms, stochastic)
    (rotation,) = rotations(1)
    again = atoms.copy()
    again.positions = atoms.positions @ rotation
    second = morered.relax(again, stochastic)
    np.testing.assert_allclose(second.positions, first.positions @ rotation, atol=1e-3)
