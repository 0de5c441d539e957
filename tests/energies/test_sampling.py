import numpy as np
import pytest

from morered.energies.sampling import collect, methods_of, sample
from morered.structures import Column, Structures

WATER = np.array([[0, 0, 0], [0, -0.757, 0.587], [0, 0.757, 0.587]])
NUMBERS = np.array([8, 1, 1])


def waters(positions, ids, references=None):
    return Structures.build([NUMBERS] * len(ids), positions, ids, references)


@pytest.fixture
def inputs():
    """Three inputs of two minima."""
    shaken = [WATER + 0.1 * np.random.default_rng(k).normal(size=(3, 3)) for k in range(3)]
    return waters(shaken, ["a1", "a2", "b1"], ["a", "a", "b"])


@pytest.fixture
def minima():
    return waters([WATER * 1.01, WATER], ["b", "a"])


def test_a_sample_depends_on_names_and_seed_alone(inputs):
    many = Structures.concatenate([waters([WATER], [f"x{k}"]) for k in range(40)])
    chosen = sample(many, 10, seed=3)
    assert len(set(chosen.names)) == 10
    order = np.random.default_rng(0).permutation(40)
    assert set(sample(many[order], 10, seed=3).names) == set(chosen.names)
    assert set(chosen.names) < set(sample(many, 20, seed=3).names)
    assert set(sample(many, 10, seed=4).names) != set(chosen.names)
    assert chosen.names == [name for name in many.names if name in chosen.names]
    assert len(sample(inputs, 10, seed=0)) == len(sample(inputs, None, seed=0)) == 3


def test_large_molecules_are_left_out_unless_all_are():
    hydrogen = Structures.build([[1, 1]], [[[0, 0, 0], [0, 0, 0.7]]], ["h"])
    mixed = Structures.concatenate([waters([WATER], ["w"]), hydrogen])
    assert sample(mixed, None, 0, max_atoms=2).names == ["h"]
    assert sample(mixed, None, 0, max_atoms=3).names == ["w", "h"]
    assert sample(mixed, None, 0, max_atoms=1).names == ["h"]


def test_identical_geometries_are_collected_once(inputs, minima):
    kept = inputs.with_columns({"seconds": Column(np.array([0.1, 0.2, 0.3]), "s")})  # a method that gives back its inputs
    moved = waters([WATER + 5, WATER * 1.1, WATER * 1.01], ["a1", "a2", "b1"])  # a minimum elsewhere, another one, the minimum
    geometries, sources = collect("t", inputs, minima, {"same": kept, "moved": moved[[2, 0, 1]]})
    assert geometries.names == [
        f"t|{name}" for name in ("a1|reference", "a1|input", "a2|input", "a2|moved", "b1|reference", "b1|input")
    ]
    assert methods_of(sources["source"]) == ["same", "moved"]
    found = sources.set_index(["id", "source"])["geometry"]
    assert found["a2", "reference"] == found["a1", "moved"] == "t|a1|reference"
    assert found["a1", "same"] == "t|a1|input"
    assert found["b1", "moved"] == "t|b1|reference"
    np.testing.assert_allclose(geometries.molecule(3).positions, WATER * 1.1)
    seconds = sources.set_index(["id", "source"])["relaxation_seconds"]
    assert seconds["b1", "same"] == 0.3
    assert np.isnan(seconds["b1", "moved"])
    assert seconds["b1", "input"] == 0


def test_geometries_keep_their_electrons(inputs, minima):
    """The same atoms with another charge are another geometry."""
    ions = inputs.with_electrons([1, 0, 0], [1, 0, 2])
    geometries, _ = collect("t", ions, minima, {})
    assert geometries.names == ["t|a1|reference", "t|a1|input", "t|a2|reference", "t|a2|input", "t|b1|reference", "t|b1|input"]
    assert geometries.charges.tolist() == [1, 1, 0, 0, 0, 0]
    assert geometries.unpaired.tolist() == [1, 1, 0, 0, 2, 2]


def test_distances_are_measured_against_the_reference(inputs, minima):
    short = waters([WATER * 0.9] * 3, ["a1", "a2", "b1"])
    _, sources = collect("t", inputs, minima, {"short": short})
    row = sources.set_index(["id", "source"]).loc[("a1", "short")]
    bond, angle = np.linalg.norm(WATER[0] - WATER[1]), np.linalg.norm(WATER[1] - WATER[2])
    assert row["bond_change"] == pytest.approx(-0.1 * bond)
    assert row["distance_change"] == pytest.approx(-0.1 * (2 * bond + angle) / 3)
    assert (sources.loc[sources["source"] == "reference", "bond_change"] == 0).all()


def test_what_does_not_fit_is_refused(inputs, minima):
    with pytest.raises(KeyError, match="b1"):
        collect("t", inputs, minima, {"lost": inputs[[0, 1]]})
    other = Structures.build([[1, 8, 1]] * 3, [WATER] * 3, ["a1", "a2", "b1"])
    with pytest.raises(ValueError, match="other elements"):
        collect("t", inputs, minima, {"other": other})
