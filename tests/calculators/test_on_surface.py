"""A surface under ASE's optimisers."""

import numpy as np
import pytest
from ase import Atoms
from ase.optimize import BFGSLineSearch

from morered import calculators
from morered.calculators.on_surface import OnSurface


class Counting:
    def __init__(self, surface):
        self.surface, self.calls = surface, 0

    def evaluate(self, positions):
        self.calls += 1
        if np.abs(positions).max() > 10:
            raise calculators.CalculationError("too far out")
        return self.surface.evaluate(positions)


@pytest.fixture
def bound(molecules):
    numbers, positions = molecules["water"]
    surface = Counting(calculators.get("gfn2").surface(numbers, positions))
    return surface, Atoms(numbers, positions, calculator=OnSurface(surface))


def test_one_geometry_is_evaluated_once(bound):
    surface, atoms = bound
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    assert surface.calls == 1
    forces[:] = 0.0  # the caller's copy
    assert np.abs(atoms.get_forces()).max() > 0.1
    atoms.positions += 0.02 * np.eye(3)
    assert atoms.get_potential_energy() != energy
    assert surface.calls == 2


def test_a_failure_is_not_remembered_as_a_result(bound):
    _, atoms = bound
    energy, home = atoms.get_potential_energy(), atoms.positions.copy()
    atoms.positions += 100.0
    for _ in range(2):
        with pytest.raises(calculators.CalculationError, match="too far out"):
            atoms.get_forces()
    atoms.positions = home
    assert atoms.get_potential_energy() == pytest.approx(energy, abs=1e-7)


def test_an_optimiser_with_line_searches_finds_the_minimum(bound):
    _, atoms = bound
    assert BFGSLineSearch(atoms, logfile=None).run(fmax=1e-3, steps=100)
    assert np.abs(atoms.get_forces()).max() < 1e-3
