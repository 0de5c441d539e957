import numpy as np
import pandas as pd
import pytest

from morered.figures import style
from morered.figures.catalogue.fig4 import drawing as fig4


@pytest.fixture
def runs(run):
    return pd.concat(
        [
            run("normal-modes", "MoreRed-JT", [0.1, 0.2, 0.3, 1.0], before=[0.1, 0.2, 0.4, 0.2]),
            run("normal-modes", "MoreRed-JT", [9.0] * 4, seed=1),  # a second seed: not counted
            run("normal-modes", "MMFF94", [0.5, 0.9, 0.999999, 0.7]),
            run("diffused-250", "MoreRed-JT", [0.4, 0.1]),
            run("diffused-250", "MMFF94", [1.0, np.inf], verdict="failed"),
        ],
        ignore_index=True,
    )


def test_numbers_by_hand(runs):
    table = fig4.numbers(runs)
    assert fig4.COLUMNS[:6] == ["testset", "method", "n", "median_ratio", "failure_percent", "median_rmsd"]
    expected = pd.DataFrame(
        [
            (
                "normal-modes",
                "MoreRed-JT",
                4,
                0.25,
                25.0,
                (0.04 + 0.12) / 2,
            ),  # 0.01, 0.04, 0.12, 0.2: a ratio of exactly 1 is a failure
            ("normal-modes", "MMFF94", 4, 0.8, 0.0, 0.16),
            ("diffused-250", "MoreRed-JT", 2, 0.25, 0.0, 0.05),
            ("diffused-250", "MMFF94", 2, np.inf, 100.0, np.inf),
        ],
        columns=fig4.COLUMNS[:6],
    )
    pd.testing.assert_frame_equal(table[fig4.COLUMNS[:6]], expected, rtol=1e-12)
    first = table.iloc[0]
    assert list(table.columns) == fig4.COLUMNS
    assert 0.01 <= first["median_rmsd_low"] <= first["median_rmsd"] <= first["median_rmsd_high"] <= 0.2
    assert table.loc[3, ["failure_percent_low", "failure_percent_high"]].tolist() == [100.0, 100.0]


def test_files(runs, tmp_path, assert_figure):
    table = fig4.make(runs, tmp_path / "fig4.png")
    assert_figure(tmp_path / "fig4", style.PAGE)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "fig4.csv"), table, check_dtype=False)


def test_median_and_failures_stand_above_each_box(runs, monkeypatch):
    drawn = []
    monkeypatch.setattr(style, "save", lambda figure, *_: drawn.append(figure))
    fig4.make(runs, "unused")
    left, right = drawn[0].axes
    notes = [text.get_text() for text in left.texts + right.texts if "%" in text.get_text()]
    # Median, failures, and how many lie beyond the axis: the infinite ratio.
    assert notes == ["0.25\n25 %\n", "0.80\n0 %\n", "0.25\n0 %\n", "∞\n100 %\n1"]
    assert any(text.get_text() == "median\nfailures\nbeyond axis" for text in left.texts)
    assert [label.get_text().replace("\n", "") for label in left.get_xticklabels()] == ["MoreRed-JT", "MMFF94"]
    assert left.get_title() == "normal-modes  (n = 4)"
    assert right.get_title() == "diffused-250  (n = 2)"
    assert left.get_ylim() == right.get_ylim()
    faces = [patch.get_facecolor() for patch in left.patches]
    assert [style.mpl.colors.to_hex(c).upper() for c in faces] == [
        style.METHOD_COLOURS["MoreRed-JT"],
        style.METHOD_COLOURS["MMFF94"],
    ]
