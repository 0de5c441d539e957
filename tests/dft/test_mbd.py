"""MBD@rsSCS against libMBD's published values and against pymbd, another implementation of the same equations."""

import numpy as np
import pymbd
import pytest
from ase.data import chemical_symbols
from ase.data.s22 import create_s22_system

from morered.datasets import qm7
from morered.dft.mbd import mbd_energy
from morered.dft.vdw_parameters import VDW_PARAMETERS
from morered.units import ANGSTROM_PER_BOHR, EV_PER_HARTREE


def by_pymbd(numbers, positions, ratios, beta):
    species = [chemical_symbols[z] for z in numbers]
    return pymbd.mbd_energy_species(np.asarray(positions) / ANGSTROM_PER_BOHR, species, ratios, beta) * EV_PER_HARTREE


def test_the_argon_dimer_has_libmbds_published_energy():
    positions = np.array([[0, 0, 0], [0, 0, 4.0]])
    assert mbd_energy([18, 18], positions, [1, 1], beta=0.83) / EV_PER_HARTREE == pytest.approx(-0.0002462647623815, rel=1e-6)


def test_the_benzene_dimer_has_libmbds_published_interaction():
    dimer = create_s22_system("Benzene_dimer_parallel_displaced")
    numbers, positions = dimer.numbers, np.trunc(dimer.positions * 1000) / 1000  # as libMBD's test has them
    carbon = [0.825, 0.821, 0.821, 0.815, 0.814, 0.815]
    ratios = np.array([*carbon, 0.624, 0.611, 0.610, 0.611, 0.624, 0.643, *carbon, 0.643, 0.624, 0.611, 0.610, 0.611, 0.624])
    whole, *parts = (mbd_energy(numbers[k], positions[k], ratios[k], 0.83) for k in (slice(24), slice(12), slice(12, 24)))
    assert (whole - sum(parts)) / EV_PER_HARTREE == pytest.approx(-0.006312323931302544, rel=1e-6)


@pytest.mark.parametrize("beta", [0.83, 0.85])
def test_it_is_pymbds_energy_on_the_shipped_molecules(beta):
    molecules = qm7.load()
    for m in range(0, len(molecules), 400):
        _, numbers, minimum = molecules.molecule(m)
        rng = np.random.default_rng(m)
        ratios = np.where(numbers == 1, 0.6, 0.85) * rng.uniform(0.9, 1.1, len(numbers))
        for positions in (minimum, minimum + 0.05 * rng.standard_normal(minimum.shape)):
            assert mbd_energy(numbers, positions, ratios, beta) == pytest.approx(
                by_pymbd(numbers, positions, ratios, beta), abs=1e-10
            )


@pytest.mark.parametrize("number", VDW_PARAMETERS)
def test_every_elements_values_are_libmbds(number):
    values = pymbd.pymbd.vdw_params[chemical_symbols[number]]
    assert VDW_PARAMETERS[number] == (values["alpha_0(TS)"], values["C6(TS)"], values["R_vdw(TS)"])


def test_hydrogen_to_radon_are_known_and_another_element_is_named():
    assert list(VDW_PARAMETERS) == list(range(1, 87))
    with pytest.raises(ValueError, match="atomic number 92"):
        mbd_energy([92, 1], [[0, 0, 0], [0, 0, 2]], [1, 1], beta=0.85)


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
    with pytest.raises(ValueError, match="too close"):
        mbd_energy([6, 6], [[0, 0, 0], [0, 0, 0]], [1, 1], beta=0.85)
