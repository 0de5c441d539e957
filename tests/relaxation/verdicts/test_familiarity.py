"""Sizes that a model has not seen are told, and change nothing else."""

import numpy as np
import pytest
from ase.build import molecule
from relaxation_support import Oracle, Springs, model

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


def test_several_fragments_are_noted_and_promise_nothing():
    water = molecule("H2O")
    positions = np.concatenate([water.positions, water.positions + np.array([0, 0, 12])])
    both = Structures.build([[*water.numbers] * 2], [positions], ["dimer"])
    done = relax(both, preset("organic")).structures
    assert "it is in 2 fragments, and the network sees nothing of how those lie" in done.column("reason")[0].decode()
    apart = np.linalg.norm(done.positions[3:].mean(axis=0) - done.positions[:3].mean(axis=0))
    assert apart == pytest.approx(12, abs=2e-3)  # what is out of sight stays where it was, to the grid of its frame
    assert np.isnan(done.column("expected_rmsd")).all()
    assert np.isnan(done.column("expected_energy")).all()
    assert "fragments" not in relax(both, preset("mmff94"), workers=1).structures.column("reason")[0].decode()
