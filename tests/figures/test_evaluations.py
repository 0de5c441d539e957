import pandas as pd
import pytest

from morered.figures import evaluations, style

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
