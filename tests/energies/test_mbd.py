import numpy as np
import pytest

from morered.energies.mbd import mbd_energy
from morered.units import EV_PER_HARTREE


def test_the_argon_dimer_has_libmbds_published_energy():
    positions = np.array([[0, 0, 0], [0, 0, 4.0]])
    assert mbd_energy([18, 18], positions, [1, 1], beta=0.83) / EV_PER_HARTREE == pytest.approx(-0.0002462647623815, rel=1e-6)


def test_an_atom_alone_has_none():
    assert mbd_energy([6], [[0, 0, 0]], [1], beta=0.85) == 0


def test_it_does_not_depend_on_the_pose_or_the_order():
    rng = np.random.default_rng(0)
    numbers, positions, ratios = np.array([6, 8, 1, 1]), rng.normal(size=(4, 3)) * 2, np.array([0.8, 0.95, 0.6, 0.6])
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    order = [2, 0, 3, 1]
    energy = mbd_energy(numbers, positions, ratios, 0.85)
    assert mbd_energy(numbers, positions @ rotation.T + 5, ratios, 0.85) == pytest.approx(energy, abs=1e-12)
    assert mbd_energy(numbers[order], positions[order], ratios[order], 0.85) == pytest.approx(energy, abs=1e-12)


def test_atoms_on_top_of_each_other_have_no_energy():
    with pytest.raises(ValueError, match="too close"):
        mbd_energy([18, 18, 18], [[0, 0, 0], [0, 0, 0.01], [0, 0.01, 0]], [1, 1, 1], beta=0.1)
