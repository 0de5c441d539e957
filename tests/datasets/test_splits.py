import json
from pathlib import Path

import numpy as np
import pytest

from morered.datasets import splits
from morered.datasets.splits import Split, TrainedOnError
from morered.structures import Structures, as_names

IDS = [f"m/{k:02d}" for k in range(20)]
GRAPHS = [f"C{k // 2}" for k in range(20)]  # two minima each


def small(seed: int = 0) -> Split:
    return splits.make(IDS, GRAPHS, train=5, validation=2, seed=seed)


def test_counts_are_of_graphs() -> None:
    assert small().counts() == {
        "train": {"graphs": 5, "minima": 10},
        "validation": {"graphs": 2, "minima": 4},
        "test": {"graphs": 3, "minima": 6},
    }


def test_a_split_does_not_depend_on_the_order_but_on_the_seed() -> None:
    order = np.random.default_rng(0).permutation(20)
    assert splits.make([IDS[k] for k in order], [GRAPHS[k] for k in order], train=5, validation=2) == small()
    assert len({small(seed).digest for seed in range(10)}) == 10


def test_every_graph_is_drawn_equally_often() -> None:
    drawn = np.zeros(10)
    for seed in range(400):
        for graph in small(seed).graphs_of("train"):
            drawn[int(graph[1:])] += 1
    # 400 draws of half the graphs: 200 each with a standard deviation of 10; five of them
    assert np.abs(drawn - 200).max() < 50


@pytest.mark.parametrize(("train", "validation"), [(0, 2), (5, 0), (8, 2), (9, 2)])
def test_impossible_splits_are_refused(train: int, validation: int) -> None:
    with pytest.raises(ValueError, match="cannot split 10 molecular graphs"):
        splits.make(IDS, GRAPHS, train=train, validation=validation)


def test_a_graph_in_two_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="the graph CC stands in train and, as b, in test"):
        Split(("a",), (), ("b",), {"a": "CC", "b": "CC"})
    with pytest.raises(ValueError, match="a stands twice"):
        Split(("a",), ("a",), (), {"a": "CC"})
    with pytest.raises(ValueError, match="has no molecular graph"):
        Split(("a",), (), (), {})


def test_saved_and_loaded(tmp_path: Path) -> None:
    splits.save(tmp_path / "split.json", small())
    assert splits.load(tmp_path / "split.json") == small()


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    splits.save(path, small())
    content = json.loads(path.read_text())
    content["test"].pop(next(iter(content["test"])))
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="changed by hand"):
        splits.load(path)
    path.write_text("{}")
    with pytest.raises(ValueError, match="not a split"):
        splits.load(path)
    path.write_text("no")
    with pytest.raises(ValueError, match="not JSON"):
        splits.load(path)


def test_limited_training_parts_lie_within_each_other() -> None:
    split = small()
    parts = [set(split.limited(train).train) for train in (1, 3, 5)]
    assert [len(part) for part in parts] == [2, 6, 10]
    assert parts[0] < parts[1] < parts[2] == set(split.train)
    assert split.limited(3).test == split.test
    assert split.limited(None) is split
    with pytest.raises(ValueError, match="cannot take 6 of 5"):
        split.limited(6)


def test_structures_are_selected_by_their_reference() -> None:
    split = small()
    references = [split.test[0], split.train[0], split.test[1]]
    structures = Structures.build([[1]] * 3, [[[0, 0, 0]]] * 3, ["x", "y", "z"], references)
    assert split.select(structures, "test").tolist() == [0, 2]
    assert split.select(structures, "validation").tolist() == []
    with pytest.raises(ValueError, match="no part 'dev'"):
        split.select(structures, "dev")


def test_training_graphs_are_refused_in_an_evaluation() -> None:
    split = small()
    splits.refuse_training_graphs(split, split.digest, as_names(split.test))
    splits.refuse_training_graphs(split, split.digest, split.validation)
    with pytest.raises(TrainedOnError, match="1 of 7 molecules"):
        splits.refuse_training_graphs(split, split.digest, [*split.test, split.train[0]])
    # another split of the same minima: nothing can be proven, and nothing where the weights say nothing
    with pytest.raises(TrainedOnError, match="was trained on the split"):
        splits.refuse_training_graphs(split, small(seed=1).digest, split.test)
    with pytest.raises(TrainedOnError, match="do not say"):
        splits.refuse_training_graphs(split, "", split.test)
    # other molecules than the split's, and a model trained on another dataset
    splits.refuse_training_graphs(split, small(seed=1).digest, ["another/molecule"])
    other = splits.make([f"o/{k}" for k in range(20)], GRAPHS, train=5, validation=2)
    splits.refuse_training_graphs(split, other.digest, split.train)
    # weights of a smaller training part name the whole split
    with pytest.raises(TrainedOnError, match="own training split"):
        splits.refuse_training_graphs(split, split.digest, split.limited(1).train)
