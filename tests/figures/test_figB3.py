import numpy as np
import pandas as pd
import pytest

from morered.figures import style
from morered.figures.catalogue.figB3 import drawing as figB3


@pytest.fixture
def runs(run):
    return pd.concat(
        [
            run("normal-modes", "MoreRed-JT-SO3Net", [0.1, 0.2, 0.3, 1.0], before=[0.1, 0.2, 0.4, 0.2]),
            run("normal-modes", "MoreRed-JT-SO3Net", [9.0] * 4, seed=1),  # a second seed: not counted
            run("normal-modes", "MLFF-SO3Net", [0.5, 0.9, 1.5, np.inf]),
            run("diffused-250", "MLFF-SO3Net", [0.1, 0.1]),  # another test set: not shown
        ],
        ignore_index=True,
    )


def test_numbers_by_hand(runs):
    table = figB3.numbers(runs, "normal-modes").set_index("method")
    assert table.loc["MoreRed-JT-SO3Net", ["n", "median_ratio", "failure_percent"]].tolist() == [4, 0.25, 25.0]
    assert table.loc["MoreRed-JT-SO3Net", "median_rmsd"] == pytest.approx((0.04 + 0.12) / 2)
    assert table.loc["MLFF-SO3Net", ["median_ratio", "failure_percent"]].tolist() == pytest.approx([1.2, 50.0])


def test_files(runs, tmp_path, assert_figure):
    table = figB3.make(runs, tmp_path / "figB3", "normal-modes")
    assert_figure(tmp_path / "figB3", style.PAGE)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "figB3.csv"), table)


def test_two_panels_of_the_same_methods(runs, monkeypatch):
    drawn = []
    monkeypatch.setattr(style, "save", lambda figure, *_: drawn.append(figure))
    figB3.draw(runs, figB3.numbers(runs, "normal-modes"), "unused")
    left, right = drawn[0].axes
    assert "ratio" in left.get_ylabel()
    assert "Å" in right.get_ylabel()
    for axes in (left, right):
        assert len(axes.get_xticks()) == 2
        assert "(n = 4)" in axes.get_title()
