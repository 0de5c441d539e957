import pandas as pd
import pytest

from morered.figures import style
from morered.figures.catalogue.evaluations import drawing as evaluations

PER_STEP = {"AS": 2, "jumps": 1, "quick": 1}


@pytest.fixture
def runs(run):
    tables = [
        run("normal-modes", "AS", [0.1, 0.2, 0.3, 1.5], steps=30),
        run("normal-modes", "jumps", [0.2, 0.2, 0.2, 0.4], steps=15),
        run("normal-modes", "quick", [0.6, 0.6, 0.6, 1.2], steps=5),
        run("diffused-250", "AS", [0.1, 0.1], steps=40),
        run("diffused-250", "jumps", [0.2, 0.3], steps=19),
        run("diffused-250", "quick", [0.1, 0.1], steps=15),
    ]
    return pd.concat(tables, ignore_index=True)


def test_numbers_by_hand(runs):
    table = evaluations.numbers(runs, PER_STEP).set_index(["testset", "method"])
    assert table.loc[("normal-modes", "AS"), "evaluations"] == 60  # two networks a step
    assert table.loc[("diffused-250", "jumps"), "evaluations"] == 19
    assert table.loc[("normal-modes", "AS"), ["median_ratio", "failure_percent"]].tolist() == [0.25, 25.0]
    # jumps: (0.2 + 0.25) / 2; quick: (0.6 + 0.25 + 0.1) / 2; AS: (0.25 + 0.25 + 0.1) / 2
    best = table["best_under"].groupby("method").first()
    assert best.to_dict() == {"AS": 0, "jumps": 100, "quick": 0}  # under 20, 40 and 100
    dearer = runs.assign(steps=runs["steps"].where(runs["method"] != "jumps", 50))
    best = evaluations.numbers(dearer, PER_STEP).groupby("method")["best_under"].first()
    assert best.to_dict() == {"AS": 0, "jumps": 100, "quick": 40}


def test_files(runs, tmp_path, assert_figure):
    table = evaluations.make(runs, tmp_path / "evaluations", PER_STEP)
    assert_figure(tmp_path / "evaluations", style.PAGE)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "evaluations.csv"), table)


def test_nothing_is_best_where_all_take_more(runs):
    assert (evaluations.numbers(runs.assign(steps=500), PER_STEP)["best_under"] == 0).all()


def test_the_front_by_hand():
    table = pd.DataFrame(
        {
            "method": ["dear", "a", "beaten", "b", "same as b", "c"],
            "evaluations": [90.0, 10.0, 30.0, 20.0, 20.0, 40.0],
            "median_ratio": [0.3, 0.5, 0.5, 0.4, 0.4, 0.1],
        }
    )
    assert evaluations.front(table, "median_ratio")["method"].tolist() == ["a", "b", "c"]


def test_of_many_methods_those_on_a_front_are_named_and_the_rest_is_grey(run, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(style, "save", lambda figure, *_: drawn.append(figure))
    names = [f"m{k:02}" for k in range(12)]
    # the more steps the better up to m03, and worse from there on
    tables = [
        run("normal-modes", name, [0.5 - 0.1 * min(k, 3) + 0.02 * k] * 3, steps=5 * (k + 1)) for k, name in enumerate(names)
    ]
    evaluations.make(pd.concat(tables, ignore_index=True), tmp_path / "evaluations", dict.fromkeys(names, 1))
    left = drawn[0].axes[0]
    points = [line for line in left.get_lines() if line.get_marker() == "o"]
    grey = [line for line in points if line.get_markerfacecolor() == evaluations.GREY]
    assert (len(points), len(grey)) == (12, 8)
    assert [text.get_text() for text in left.texts] == ["a", "b", "c", "d"]
    words = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert words[:4] == ["a m00", "b m01", "c m02", "d m03"]
    assert words[4] == "not on the front (8 methods on none)"
