"""The benchmark that asks whose minima PBE0+MBD prefers."""

import numpy as np
import pymbd
import pytest
from ase.build import molecule

from morered.settings.level import Level
from morered.structures import Structures
from morered.units import ANGSTROM_PER_BOHR, EV_PER_HARTREE, KCAL_MOL_PER_EV


def row(drug, potential, energy, positions, numbers=(8, 1, 1)):
    forces = {"rms_force": 0.01, "largest_force": 0.02}
    place = {"numbers": list(numbers), "positions": np.asarray(positions).tolist()}
    return {"drug": drug, "potential": potential, "energy_eV": energy, **forces, **place}


def test_its_dispersion_forces_are_those_of_pymbds_energy(benchmark):
    ethanol = molecule("CH3CH2OH")
    numbers, x = ethanol.numbers, ethanol.positions
    ratios = np.linspace(0.6, 0.95, len(numbers))

    def energy(positions):
        return pymbd.mbd_energy_species(positions / ANGSTROM_PER_BOHR, list(ethanol.symbols), ratios, 0.85) * EV_PER_HARTREE

    step = np.random.default_rng(0).normal(size=x.shape) * 1e-3
    along = (energy(x + step) - energy(x - step)) / 2
    forces = benchmark.mbd_forces(numbers, x, ratios, 0.85)
    assert -np.sum(forces * step) == pytest.approx(along, rel=1e-3)
    assert np.abs(forces.sum(axis=0)).max() < 1e-6  # of differences


def test_energies_are_above_the_lowest_of_a_drug_that_all_have_done(benchmark):
    water = molecule("H2O").positions
    done, begun = list(benchmark.DRUGS)[:2]
    rows = [row(done, name, -10.0 + 0.1 * k, water * (1 + 0.01 * k)) for k, name in enumerate(benchmark.POTENTIALS)]
    rows.append(row(begun, "aimnet2", -99.0, water))  # stopped before the others
    table = benchmark.table(rows[::-1])  # as they came to an end
    assert table["drug"].tolist() == [done] * 3
    assert table["potential"].tolist() == list(benchmark.POTENTIALS)
    assert table["above_lowest_kcal_mol"].tolist() == pytest.approx(np.array([0, 0.1, 0.2]) * KCAL_MOL_PER_EV, abs=0.005)
    assert table["rmsd_to_aimnet2"].iloc[0] == 0
    assert 0 < table["rmsd_to_aimnet2"].iloc[1] < table["rmsd_to_aimnet2"].iloc[2]


def test_a_minimum_is_judged_by_energy_and_forces(benchmark):
    methane = molecule("CH4")
    begun = Structures.build([methane.numbers], [methane.positions], ["methane"])
    relaxed = benchmark.minimum("gfn2", begun)
    found = benchmark.judged("methane", "gfn2", relaxed, begun, Level(basis="sto-3g", grid=1, coarse_grid=1))
    assert (found["heavy_atoms"], found["atoms"], found["verdict"], found["same_bonds"]) == (1, 5, "converged", True)
    assert 0 < found["rms_force"] <= found["largest_force"] < 5  # eV/Å: a small basis wants other bond lengths
