import numpy as np
import pandas as pd
import pytest

from morered.figures import style
from morered.figures.catalogue.fig3a import drawing as fig3a


@pytest.fixture
def table(run):
    def make(method, times, before, testset="normal-modes"):
        return run(testset, method, np.full(len(before), 0.5), before=before, first_time=times)

    return make


def test_numbers_by_hand(table):
    before = np.array([0.1, 0.2, 0.3, 0.4])
    runs = pd.concat(
        [
            table("MoreRed-JT", before, before),
            table("MoreRed-ITP", [0.0, 0.0004, 1.2, 0.5], before),
            table("MoreRed-JT", [0.9, 0.8, 0.1, 0.2], before, "diffused-250"),
        ]
    )
    points, summary = fig3a.numbers(runs, "normal-modes")
    jt, itp = (points[points["panel"] == panel] for panel in ("MoreRed-JT", "MoreRed-ITP/-AS"))
    assert jt["step"].tolist() == [100, 200, 300, 400]  # of 0..999
    assert jt["t"].tolist() == [101, 201, 301, 401]  # of 1..1000
    assert itp["step"].tolist() == [0, 0, 999, 500]  # clamped
    assert summary["zero"].tolist() == [0, 2]
    assert summary["n"].tolist() == [4, 4]
    assert summary["pearson_r"].iloc[0] == pytest.approx(1.0, abs=1e-12)
    # Deviations from the means: RMSD (-0.15, -0.05, 0.05, 0.15), steps (-374.75, -374.75, 624.25, 125.25).
    by_hand = (0.15 * 374.75 + 0.05 * 374.75 + 0.05 * 624.25 + 0.15 * 125.25) / np.sqrt(
        0.05 * (2 * 374.75**2 + 624.25**2 + 125.25**2)
    )
    assert summary["pearson_r"].iloc[1] == pytest.approx(by_hand, rel=1e-12)


def test_steps_are_those_of_the_networks_own_process(table):
    runs = pd.concat(
        [table("MoreRed-JT", [0.0, 0.002, 0.5], [0.1, 0.2, 0.3]), table("MoreRed-ITP", [0.0, 0.002, 0.5], [0.1, 0.2, 0.3])]
    )
    points, summary = fig3a.numbers(runs, "normal-modes", steps={"MoreRed-JT": 201})
    assert points["t"].tolist() == [1, 1, 101, 1, 3, 501]
    assert summary["zero"].tolist() == [2, 1]


def test_at_most_ten_thousand_points_are_shown_but_all_count(table):
    before = np.linspace(0.01, 1, 12_000)
    times = np.where(np.arange(12_000) < 30, 0.0, before)
    points, summary = fig3a.numbers(table("MoreRed-JT", times, before), "normal-modes", {"JT": "MoreRed-JT"})
    assert len(points) == 10_000
    assert points["id"].is_unique
    assert summary.loc[0, ["n", "zero"]].tolist() == [12_000, 30]
    again, _ = fig3a.numbers(table("MoreRed-JT", times, before), "normal-modes", {"JT": "MoreRed-JT"})
    pd.testing.assert_frame_equal(points, again)


def test_molecules_without_a_prediction_are_left_out_and_methods_without_any_are_refused(table):
    runs = table("MoreRed-JT", [np.nan, 0.2, 0.3], [0.1, 0.2, 0.3])
    assert fig3a.numbers(runs, "normal-modes", {"JT": "MoreRed-JT"})[1].loc[0, "n"] == 2
    with pytest.raises(ValueError, match="no predicted times by MMFF94 on normal-modes"):
        fig3a.numbers(runs, "normal-modes", {"MMFF94": "MMFF94"})


def test_a_constant_prediction_has_no_correlation(table):
    runs = table("MoreRed-JT", [0.3, 0.3, 0.3], [0.1, 0.2, 0.3])
    summary = fig3a.numbers(runs, "normal-modes", {"JT": "MoreRed-JT"})[1]
    assert np.isnan(summary.loc[0, ["pearson_r", "pearson_r_low", "pearson_r_high"]].astype(float)).all()


def test_files(table, tmp_path, assert_figure):
    rng = np.random.default_rng(0)
    before = rng.uniform(0.05, 0.6, 200)
    runs = pd.concat(
        [
            table(m, np.clip(before + noise * rng.normal(size=200), 0, 1), before)
            for m, noise in (("MoreRed-JT", 0.02), ("MoreRed-ITP", 0.2))
        ]
    )
    points, summary = fig3a.make(runs, tmp_path / "fig3a", "normal-modes")
    assert_figure(tmp_path / "fig3a", style.COLUMN)
    assert len(pd.read_csv(tmp_path / "fig3a.csv")) == len(points) == 400
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "fig3a.summary.csv"), summary, check_dtype=False)
    assert summary["pearson_r"].iloc[0] > summary["pearson_r"].iloc[1]


def test_many_panels_stand_in_two_columns(table, tmp_path, assert_figure):
    names = ["MoreRed-JT", "MoreRed-ITP", "MoreRed-fast"]
    runs = pd.concat([table(name, [0.1, 0.2, 0.4], [0.1, 0.2, 0.3]) for name in names])
    fig3a.make(runs, tmp_path / "fig3a", "normal-modes", {name: name for name in names})
    assert_figure(tmp_path / "fig3a", style.PAGE)
