"""Optimisations with geomeTRIC, and what is told of where they end."""

import numpy as np
import pandas as pd
import pytest
from ase.build import molecule

from morered.calculators.pbe0 import Pbe0
from morered.dft.single_point import single_point
from morered.energies import savings
from morered.energies.optimise import calculator, optimise, titles
from morered.energies.sampling import COLUMNS, INPUT, REFERENCE
from morered.resumable import Built
from morered.settings.level import Level
from morered.structures import Structures

TOY = {"basis": "sto-3g", "grid": 1, "coarse_grid": 1}
NUMBERS = [1, 1]


def stretched(length):
    return np.array([[0, 0, 0], [0, 0, length]])


def test_an_optimisation_ends_where_the_energy_is_least():
    done = optimise(NUMBERS, stretched(0.9), calculator("pbe0", TOY))
    assert done.status == "converged"
    assert done.cycles > done.gradients > 1
    length = np.linalg.norm(done.positions[1] - done.positions[0])
    level = Level(**TOY, dispersion=False)
    trial = np.array([length - 0.02, length, length + 0.02])
    energies = [single_point(NUMBERS, stretched(x), level).energy for x in trial]
    a, b, _ = np.polyfit(trial - length, energies, 2)
    assert -b / (2 * a) == pytest.approx(0, abs=1e-3)
    assert done.energy == pytest.approx(energies[1], abs=1e-4)


def test_a_nearer_start_takes_fewer_gradients_to_the_same_energy():
    ethanol = molecule("CH3CH2OH")
    gfn2 = calculator("gfn2")
    there = optimise(ethanol.numbers, ethanol.positions, gfn2)
    again = optimise(ethanol.numbers, there.positions, gfn2)
    far = optimise(ethanol.numbers, ethanol.positions + 0.1 * np.random.default_rng(0).normal(size=(9, 3)), gfn2)
    assert again.gradients == 2
    assert far.gradients > there.gradients > 1
    assert far.energy == pytest.approx(there.energy, abs=2e-3)
    assert there.cycles == -1  # tblite does not tell


def test_what_is_not_reached_or_not_possible_is_told():
    cut = optimise(NUMBERS, stretched(1.2), calculator("gfn2"), steps=1)
    assert (cut.status, cut.gradients) == ("step-cap", 2)
    assert "not converged in 1 steps" in cut.reason
    radical = optimise([8, 1], stretched(1.0), calculator("pbe0", TOY))
    assert (radical.status, radical.gradients) == ("failed", 0)
    assert "radical" in radical.reason
    np.testing.assert_array_equal(radical.positions, stretched(1.0))
    assert "infinite or no number" in optimise(NUMBERS, stretched(np.nan), calculator("gfn2")).reason


def test_the_surface_goes_on_from_the_last_density():
    surface = Pbe0(False, **TOY).surface([8, 1, 1], molecule("H2O").positions)
    positions = molecule("H2O").positions
    surface.evaluate(positions)
    first = surface.cycles
    energy, forces = surface.evaluate(positions + 0.001)
    assert surface.cycles - first < first
    fresh = Pbe0(False, **TOY).surface([8, 1, 1], positions)
    expected, expected_forces = fresh.evaluate(positions + 0.001)
    assert energy == pytest.approx(expected, abs=1e-5)
    np.testing.assert_allclose(forces, expected_forces, atol=1e-3)


def test_ends_are_compared_with_the_end_from_the_reference():
    ids = ["a|reference", "a|input", "a|JT"]
    geometries = Structures.build([NUMBERS] * 3, [stretched(x) for x in (0.777, 1.0, 0.8)], ids)
    rows = [("t", "a", "a", 2, source, f"a|{source}", 0.5, 0.0, 0.0) for source in (REFERENCE, INPUT, "JT")]
    sources = pd.DataFrame(rows, columns=list(COLUMNS))
    built = savings.compute(geometries, "gfn2", steps=30)
    elsewhere = built.structures.positions.copy()
    elsewhere[-1, 2] += 0.3  # the last one's second atom: as if it had ended there
    ends = {"gfn2": built, "moved": Built(built.structures.with_positions(elsewhere))}
    both = savings.table(sources, geometries, ends).set_index(["calculator", "source"])
    assert both["same_minimum"]["moved"].to_dict() == {REFERENCE: 1, INPUT: 1, "JT": 0}
    assert both["rmsd"]["moved", "JT"] == pytest.approx(0.15, abs=0.02)
    table = both.loc["gfn2"]
    assert table["same_minimum"].to_dict() == {REFERENCE: 1, INPUT: 1, "JT": 1}
    assert table["gradients"][REFERENCE] < table["gradients"][INPUT]
    assert table["rmsd"][INPUT] < 0.05
    assert abs(table["difference_kcal_mol"][INPUT]) < savings.SAME_ENERGY

    apart = savings.compute(geometries[[0]], "gfn2")
    apart.failures.update({"a|input": "over the time limit of 1 s", "a|JT": "its process ended"})
    table = savings.table(sources, geometries, {"gfn2": apart}).set_index("source")
    assert table["same_minimum"].to_dict() == {REFERENCE: 1, INPUT: -1, "JT": -1}
    assert table["status"][INPUT] == "failed"
    assert "time limit" in table["reason"][INPUT]
    apart.failures.pop("a|JT")
    with pytest.raises(ValueError, match="no optimisation of 'a\\|JT'"):
        savings.table(sources, geometries, {"gfn2": apart})


def test_an_ion_is_optimised_with_its_charge():
    ammonia = molecule("NH3")
    numbers, positions = np.append(ammonia.numbers, 1), np.vstack([ammonia.positions, ammonia.positions[0] + [0, 0, 1.03]])
    assert optimise(numbers, positions, calculator("gfn2"), 1).status == "converged"
    assert "electron" in optimise(numbers, positions, calculator("aimnet2")).reason  # neutral it is a radical


def test_names_for_people():
    assert titles(TOY)["pbe0"] == "PBE0/STO-3G"
    assert titles()["gfn2"] == "GFN2-xTB"
