import numpy as np
import pytest

from morered.dft import pbe0
from morered.dft.neighbour import NEAR, Neighbour
from morered.dft.single_point import single_point
from morered.settings.level import Level

SMALL = Level(basis="def2-svp")
NUMBERS = np.array([8, 1, 1])
POSITIONS = np.array([[0, 0, 0.12], [0, 0.76, -0.48], [0, -0.76, -0.48]])
STRETCHED = POSITIONS * 1.005


def test_a_near_geometry_takes_fewer_cycles_to_the_same_energy():
    alone = single_point(NUMBERS, STRETCHED, SMALL)
    neighbour = Neighbour()
    first = single_point(NUMBERS, POSITIONS, SMALL, neighbour=neighbour)
    second = single_point(NUMBERS, STRETCHED, SMALL, neighbour=neighbour)
    assert first.cycles == single_point(NUMBERS, POSITIONS, SMALL).cycles
    assert second.cycles < alone.cycles
    assert second.total == pytest.approx(alone.total, abs=1e-5)


def test_the_density_keeps_its_orbitals_from_which_exchange_is_built_faster():
    field = pbe0.converge(NUMBERS, POSITIONS, SMALL)
    occupied = field.density_matrix.mo_coeff * field.density_matrix.mo_occ
    np.testing.assert_allclose(occupied @ field.density_matrix.mo_coeff.T, field.density_matrix, atol=1e-10)


def test_unpaired_electrons_keep_both_spins():
    neighbour = Neighbour()
    level = Level(basis="sto-3g", dispersion=False)
    cations = [single_point(NUMBERS, x, level, 1, 1, neighbour=neighbour) for x in (POSITIONS, STRETCHED)]
    alone = single_point(NUMBERS, STRETCHED, level, 1, 1)
    assert cations[1].cycles < alone.cycles
    assert cations[1].energy == pytest.approx(alone.energy, abs=1e-5)


def test_another_molecule_or_place_starts_anew():
    neighbour = Neighbour()
    matrix = np.eye(3)
    assert neighbour.guess(NUMBERS, POSITIONS, SMALL) is None  # nothing is known yet
    neighbour.keep(matrix, NUMBERS, POSITIONS, SMALL)
    assert neighbour.guess(NUMBERS, STRETCHED, SMALL) is matrix
    assert neighbour.guess(NUMBERS[::-1], POSITIONS[::-1], SMALL) is None
    assert neighbour.guess(np.array([8, 1]), POSITIONS[:2], SMALL) is None
    assert neighbour.guess(NUMBERS, POSITIONS + np.array([0, 0, NEAR + 0.01]), SMALL) is None
    assert neighbour.guess(NUMBERS, POSITIONS, SMALL, charge=1, unpaired=1) is None
    assert neighbour.guess(NUMBERS, POSITIONS, Level(basis="def2-tzvp")) is None
    assert neighbour.guess(NUMBERS, POSITIONS, Level(basis="def2-svp", grid=5)) is matrix  # the same functions


def test_a_start_that_leads_nowhere_is_followed_by_pyscfs_own():
    neighbour, level = Neighbour(), Level(basis="def2-svp", max_cycles=10)
    functions = pbe0.molecule(NUMBERS, POSITIONS, level).nao
    neighbour.keep(np.full((functions, functions), 1e3), NUMBERS, POSITIONS, level)
    point = single_point(NUMBERS, POSITIONS, level, neighbour=neighbour)
    assert "converged by" in point.reason
    assert point.energy == pytest.approx(single_point(NUMBERS, POSITIONS, level).energy, abs=1e-4)
