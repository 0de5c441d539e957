import numpy as np
import pytest

from morered.datasets import qm7, splits
from morered.datasets.graphs import graphs
from morered.structures import Structures, as_names


@pytest.fixture(scope="module")
def minima() -> Structures:
    return qm7.load()


def test_the_embedded_minima_are_what_the_source_says(minima: Structures) -> None:
    assert len(minima) == 7101
    assert len(set(minima.names)) == 7101
    assert (minima.ids == minima.references).all()
    assert set(minima.numbers.tolist()) == {1, 6, 7, 8, 16}
    assert (minima.sizes.min(), minima.sizes.max()) == (4, 23)  # HCCH and heptane
    methane = minima.molecule(0)  # the first lines of the source's first file
    assert methane.id == "qm7/0001"
    assert methane.numbers.tolist() == [6, 1, 1, 1, 1]
    assert methane.positions[:2].tolist() == [[1.041682, -0.0562, -0.071481], [2.130894, -0.056202, -0.071496]]
    # -417.031 kcal/mol there; the experiment's D0 of 392.5 and the zero-point energy of 27.7 make 420
    assert minima.column("atomisation_energy")[0] == pytest.approx(-417.031 * 0.0433641, abs=1e-3)


def test_a_caller_cannot_spoil_the_cached_minima(minima: Structures) -> None:
    spoilt = qm7.load()
    spoilt.positions[:] = 0
    assert np.array_equal(qm7.load().positions, minima.positions)


def test_graphs_are_those_of_the_coordinates(minima: Structures) -> None:
    some = np.arange(0, len(minima), 40)
    assert graphs(minima[some]) == [qm7.graphs(minima)[k] for k in some]
    # the sultone whose 2.2 Å across the ring are no bond
    assert qm7.graphs(minima)[int(minima.index_of(["qm7/6931"])[0])] != ""
    assert not any("[H]" in name for name in qm7.graphs(minima))


def test_graphs_do_not_depend_on_pose_order_or_handedness(minima: Structures) -> None:
    rng = np.random.default_rng(0)
    some = minima[[100, 2000, 6500, 7000]]
    changed = []
    for molecule in some:
        order = rng.permutation(len(molecule.numbers))
        rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))  # a reflection as often as not
        changed.append((molecule.numbers[order], molecule.positions[order] @ rotation + 3))
    assert graphs(Structures.build([z for z, _ in changed], [x for _, x in changed], some.names)) == graphs(some)


def test_no_graph_stands_in_two_parts(minima: Structures) -> None:
    split = qm7.default_split()
    # not by the split's own books: the graphs are those of the data, and every minimum is used once
    graph_of = dict(zip(minima.names, qm7.graphs(minima), strict=True))
    parts = {part: {graph_of[name] for name in split.ids(part)} for part in splits.PARTS}
    assert not parts["train"] & parts["validation"]
    assert not parts["train"] & parts["test"]
    assert not parts["validation"] & parts["test"]
    assert sorted(split.train + split.validation + split.test) == sorted(minima.names)
    assert {part: len(found) for part, found in parts.items()} == {"train": 4500, "validation": 1250, "test": 1329}


def test_the_stored_split_is_the_default_one() -> None:
    assert qm7.split() == qm7.default_split()
    assert qm7.split(seed=1).digest != qm7.default_split().digest


def test_duplicates_of_a_graph_stay_together(minima: Structures) -> None:
    split = qm7.default_split()
    for pair in (("qm7/2178", "qm7/2179"), ("qm7/4727", "qm7/4733"), ("qm7/0061", "qm7/0062")):
        assert len({split.graphs[name] for name in pair}) == 1
        assert len({next(part for part in splits.PARTS if name in split.ids(part)) for name in pair}) == 1
    assert set(as_names(split.train)) <= set(minima.ids)
