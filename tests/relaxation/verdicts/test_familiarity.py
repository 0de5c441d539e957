"""Sizes that a model has not seen are told, and change nothing else."""

import numpy as np
import pytest
from ase.build import molecule
from relaxation_support import Oracle, Springs, model

from morered.frozen import with_frozen
from morered.models.weights import WeightsHeader
from morered.relaxation import DiffusionMethod, PotentialMethod, relax
from morered.relaxation.methods import preset
from morered.relaxation.verdicts.familiarity import common_sizes, is_noted
from morered.structures import Structures


def sized(network, sizes):
    return model(network)._replace(header=WeightsHeader(sizes=sizes))


def reasons(structures):
    return [reason.decode() for reason in structures.column("reason").tolist()]


def test_only_molecules_outside_the_sizes_are_noted_once_and_relaxed_all_the_same(molecules, noisy, jt):
    seen = sized(jt.network, (8, 14))
    plain = relax(noisy, DiffusionMethod(noise=jt, time=jt, move="jump")).structures
    told = relax(noisy, DiffusionMethod(noise=seen, time=seen, move="jump")).structures
    outside = [not 8 <= n <= 14 for n in noisy.sizes.tolist()]
    assert any(outside)
    assert not all(outside)
    assert [is_noted(reason) for reason in reasons(told)] == outside
    np.testing.assert_array_equal(told.positions, plain.positions)
    assert (plain.column("verdict") == told.column("verdict")).all()
    m = outside.index(True)
    assert reasons(told)[m] == f"{reasons(plain)[m]}; its {noisy.sizes[m]} atoms are outside the training data, which has 8 to 14"


def test_a_refused_molecule_is_refused_and_not_noted(molecules, jt):
    alone = Structures.build([[6]], [[[0.0, 0.0, 0.0]]], ["alone"])
    seen = sized(jt.network, (8, 14))
    (reason,) = reasons(relax(alone, DiffusionMethod(noise=seen, time=seen)).structures)
    assert "one atom" in reason
    assert not is_noted(reason)


def test_two_models_have_seen_what_both_have_seen(molecules, noisy):
    noise = sized(Oracle(molecules, "noise"), (2, 14))
    time = sized(Oracle(molecules, "time"), (9, 100))
    told = relax(noisy, DiffusionMethod(noise=noise, time=time, move="jump", steps=2)).structures
    assert [is_noted(reason) for reason in reasons(told)] == [not 9 <= n <= 14 for n in noisy.sizes.tolist()]


def test_a_force_field_tells_as_well(molecules):
    method = PotentialMethod("mlff", model=sized(Springs(molecules), (8, 14)), precision="double", steps=2)
    told = relax(molecules, method).structures
    assert [is_noted(reason) for reason in reasons(told)] == [not 8 <= n <= 14 for n in molecules.sizes.tolist()]


@pytest.mark.parametrize(
    ("sizes", "common"),
    [([], None), ([(0, 0)], None), ([(0, 0), (3, 9)], (3, 9)), ([(3, 9), (5, 20)], (5, 9))],
)
def test_a_model_that_does_not_say_does_not_count(sizes, common):
    assert common_sizes(sizes) == common


@pytest.mark.parametrize("distance", [8, 12, 15, 40])
def test_several_fragments_are_noted_and_promise_nothing(distance: float):
    water = molecule("H2O")
    positions = np.concatenate([water.positions, water.positions + np.array([0, 0, distance])])
    both = Structures.build([[*water.numbers] * 2], [positions], ["dimer"])
    done = relax(both, preset("organic")).structures
    assert "it is in 2 fragments, and the network sees nothing of how those lie" in done.column("reason")[0].decode()
    apart = np.linalg.norm(done.positions[3:].mean(axis=0) - done.positions[:3].mean(axis=0))
    assert apart == pytest.approx(distance, abs=2e-3)  # what is out of sight stays where it was, to the grid of its frame
    assert np.isnan(done.column("expected_rmsd")).all()
    assert np.isnan(done.column("expected_energy")).all()
    assert "fragments" not in relax(both, preset("mmff94"), workers=1).structures.column("reason")[0].decode()


def test_a_frozen_fragment_stays_and_the_other_one_beside_it():
    water = molecule("H2O")
    positions = np.concatenate([water.positions, water.positions + np.array([0, 0, 30])])
    both = Structures.build([[*water.numbers] * 2], [positions], ["dimer"])
    done = relax(with_frozen(both, np.arange(6) < 3), preset("organic")).structures
    np.testing.assert_array_equal(done.positions[:3], positions[:3])
    assert done.positions[3:].mean(axis=0) == pytest.approx(positions[3:].mean(axis=0), abs=2e-3)


def test_what_is_refused_for_its_elements_costs_the_others_nothing():
    given = Structures.build([[200, 1], [8, 1, 1]], [[[0, 0, 0], [0, 0, 1]], molecule("H2O").positions], ["odd", "water"])
    assert relax(given, preset("organic")).verdicts == ["refused", "converged"]
