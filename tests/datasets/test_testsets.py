import numpy as np
import pytest
import torch

from morered.datasets import displaced, qm7, splits, testsets
from morered.datasets.builder import Displacing, displace
from morered.diffusion import random_numbers
from morered.diffusion.schedule import NoiseSchedule
from morered.metrics.rmsd import rmsd
from morered.structures import Structures

SETTINGS = Displacing(per_minimum=12, calculator="gfn2")


@pytest.fixture(scope="module")
def minima() -> Structures:
    return qm7.load().without_columns()[[1, 2, 4, 10, 12, 20, 25, 30]]


@pytest.fixture(scope="module")
def inputs(minima: Structures) -> Structures:
    built = testsets.normal_mode_inputs(minima, SETTINGS, seed=1)
    assert not built.failures
    return built.structures


def test_closest_middle_and_most_distant_are_kept(minima: Structures, inputs: Structures) -> None:
    assert (inputs.references == np.repeat(minima.ids, 3)).all()
    assert inputs.column("rank").tolist() == [0, 1, 2] * len(minima)
    everything = displace(minima[3], SETTINGS, seed=1)
    distances = np.sort([float(rmsd(everything[k].without_columns(), minima[3])[0]) for k in range(12)])
    assert inputs.column("rmsd")[9:12] == pytest.approx(distances[[0, 6, 11]], abs=1e-9)
    assert rmsd(inputs.without_columns(), minima[np.repeat(np.arange(len(minima)), 3)]) == pytest.approx(inputs.column("rmsd"))


def test_a_molecule_that_fails_is_listed(minima: Structures) -> None:
    argon = Structures.build([[18]], [[[0, 0, 0]]], ["argon"])
    built = testsets.normal_mode_inputs(Structures.concatenate([argon, minima[:1]]), SETTINGS, seed=1)
    assert built.failures == {"argon": "it has no vibrations: fewer than two atoms"}
    assert len(built.structures) == 3


def test_the_diffused_inputs_are_within_the_range_of_the_displaced_ones(minima: Structures, inputs: Structures) -> None:
    """Section 3.2 of the paper."""
    displaced = inputs.column("rmsd")
    assert displaced.min() < np.median(testsets.diffused_inputs(minima, seed=1).column("rmsd")) < displaced.max()
    assert np.median(testsets.diffused_inputs(minima, steps=600, seed=1).column("rmsd")) > displaced.max()


def test_diffused_inputs_follow_equation_2(minima: Structures) -> None:
    everything = qm7.load().without_columns()
    diffused = testsets.diffused_inputs(everything, steps=250)
    assert diffused.names[0] == "qm7/0001-t250"
    assert (diffused.references == everything.ids).all()
    assert set(diffused.column("step").tolist()) == {249}
    # (1 - (250/1000)²)² of the signal's variance is left, but for s = 1e-5
    alpha_bar = (1 - 2e-5) * (1 - 0.25**2) ** 2 + 1e-5
    difference = diffused.positions - np.sqrt(alpha_bar) * everything.centred().positions
    # centred noise: N - 1 of N degrees of freedom for each axis
    freedom = 3 * (everything.sizes - 1).sum()
    # 307 000 normal deviates: their variance is known to 0.25 %
    assert (difference**2).sum() / freedom == pytest.approx(1 - alpha_bar, rel=0.02)
    assert np.abs(diffused.per_molecule_mean(diffused.positions)).max() < 1e-9


def test_diffused_inputs_depend_on_id_and_seed_alone(minima: Structures) -> None:
    whole = testsets.diffused_inputs(minima, seed=2)
    assert np.array_equal(testsets.diffused_inputs(minima, seed=2, batch_size=3).positions, whole.positions)
    assert np.array_equal(testsets.diffused_inputs(minima[[5, 2]], seed=2).positions, whole[[5, 2]].positions)
    assert not np.allclose(testsets.diffused_inputs(minima, seed=3).positions, whole.positions)
    with pytest.raises(ValueError, match="between 1 and 1000 steps"):
        testsets.diffused_inputs(minima, steps=1001)


def test_a_relaxation_of_the_same_seed_sees_other_noise(minima: Structures) -> None:
    one = testsets.diffused_inputs(minima[:1], seed=0)
    schedule = NoiseSchedule()
    added = one.positions - float(schedule.alpha_bar[249].sqrt()) * minima[:1].centred().positions
    keys = torch.from_numpy(random_numbers.molecule_keys(one.ids))
    theirs = random_numbers.normal(0, keys, 249, len(added))[0].numpy()
    correlation = np.corrcoef(added.reshape(-1), theirs.reshape(-1))[0, 1]
    assert abs(correlation) < 0.7  # 24 numbers: 0.2 by chance, 1 if it were the same noise


def test_samples_are_of_graphs_and_nested() -> None:
    minima, split = qm7.load(), qm7.default_split()
    small = testsets.sample(minima, split, "test", graphs=10, seed=4)
    large = testsets.sample(minima, split, "test", graphs=40, seed=4)
    assert set(small.names) < set(large.names) <= set(split.test)
    assert len({split.graphs[name] for name in large.names}) == 40
    assert list(large.names) == sorted(large.names)
    assert len(testsets.sample(minima, split, "validation")) == 1255
    assert testsets.sample(minima, split, "test", graphs=10, seed=5).names != small.names
    with pytest.raises(ValueError, match="no part 'dev'"):
        testsets.sample(minima, split, "dev")
    with pytest.raises(ValueError, match="no minimum of the test part"):
        testsets.sample(minima[minima.index_of(split.train[:5])], split, "test")


# --------------------------------------------------------------------- for the force field


def test_displaced_structures_have_labels_and_their_minimum(minima: Structures) -> None:
    built = displaced.displaced_structures(minima[:2], Displacing(per_minimum=3, calculator="gfn2"), seed=0)
    structures = built.structures
    assert set(structures.columns) == set(displaced.COLUMNS)
    assert structures.names[:4] == ["qm7/0002", "qm7/0002-d1", "qm7/0002-d2", "qm7/0002-d3"]
    above = structures.column("energy") - structures.column("energy")[[0] * 4 + [4] * 4]
    assert structures.column("displacement_energy") == pytest.approx(above, abs=1e-5)  # tblite's self-consistency: 1e-6 eV
    # forces are minus the gradient: along a displacement the energy rises, from a minimum
    assert (above.reshape(2, 4)[:, 1:] > 0).all()
    assert structures.columns["forces"].per_atom
    assert structures.columns["forces"].unit == "eV/Å"


def test_test_graphs_are_never_displaced() -> None:
    minima, split = qm7.load(), qm7.default_split()
    chosen = displaced.chosen_minima(minima, split)
    assert set(chosen.names) == set(split.train) | set(split.validation)
    few = displaced.chosen_minima(minima, split, train=30, validation=5)
    graphs = {split.graphs[name] for name in few.names}
    assert len(graphs) == 35
    assert set(split.limited(30).train) <= set(few.names)
    splits.refuse_training_graphs(split, split.digest, set(chosen.names) - set(split.train))


def test_provenance_says_whose_labels_they_are() -> None:
    said = displaced.describe(Displacing())
    assert "not by DFT" in said["labels"]
    assert "part of QM7-X" in said["labels"]
    assert displaced.describe(Displacing(calculator="gfn2", labels="gfn1"))["label_calculator"] == "gfn1"
