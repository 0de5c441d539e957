import numpy as np
import pandas as pd
import pytest

from morered.energies.sampling import INPUT, REFERENCE
from morered.figures import style
from morered.figures.catalogue.savings import drawing as savings

TITLES = {"pbe0": "PBE0/x", "gfn2": "GFN2-xTB"}


@pytest.fixture
def runs():
    """Three inputs, two calculators; one optimisation hit the cap and one failed."""
    rows = []
    for calculator, cycles in (("pbe0", 9), ("gfn2", -1)):
        for source, gradients in ((REFERENCE, [1, 2, 3]), (INPUT, [10, 20, 30]), ("JT", [5, 10, 15])):
            for k, count in enumerate(gradients):
                rows.append((calculator, "t", f"m{k}", source, 0.5, count, cycles * count, 2.0 * count, "converged", 1))
    frame = pd.DataFrame(
        rows,
        columns=[
            "calculator",
            "testset",
            "id",
            "source",
            "relaxation_seconds",
            "gradients",
            "cycles",
            "seconds",
            "status",
            "same_minimum",
        ],
    )
    pbe0 = frame["calculator"] == "pbe0"
    frame.loc[pbe0 & (frame["id"] == "m2") & (frame["source"] == INPUT), ["status", "same_minimum"]] = ["step-cap", -1]
    frame.loc[pbe0 & (frame["id"] == "m1") & (frame["source"] == "JT"), ["status", "same_minimum"]] = ["failed", -1]
    frame.loc[pbe0 & (frame["id"] == "m0") & (frame["source"] == "JT"), "same_minimum"] = 0
    return frame


def test_numbers_by_hand(runs):
    table = savings.numbers(runs).set_index(["calculator", "start"])
    assert list(table.index) == [(c, s) for c in TITLES for s in (REFERENCE, INPUT, "JT")]
    raw, jt = table.loc[("pbe0", INPUT)], table.loc[("pbe0", "JT")]
    assert raw.converged_percent == jt.converged_percent == pytest.approx(200 / 3)
    assert (raw.median_gradients, jt.median_gradients) == (15, 10)
    assert jt.gradients_of_input == 0.5  # of m0 alone, where both converged
    assert jt.mean_cycles == 90
    assert jt.mean_seconds == 20
    assert jt.same_minimum_percent == 50
    assert jt.same_as_input_percent == 0
    assert np.isnan(table.loc[("gfn2", "JT")].mean_cycles)
    assert table.loc[("gfn2", "JT")].gradients_of_input == 0.5


def test_files(runs, tmp_path, assert_figure):
    table = savings.make(runs, tmp_path / "savings", tmp_path / "page.html", titles=TITLES)
    assert_figure(tmp_path / "savings", style.PAGE)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "savings.csv"), table, check_dtype=False)
    assert "PBE0/x" in (tmp_path / "page.html").read_text()


def test_a_panel_for_each_calculator(runs, monkeypatch):
    drawn = []
    monkeypatch.setattr(style, "save", lambda figure, *_: drawn.append(figure))
    savings.draw(runs, savings.numbers(runs), "unused", TITLES)
    left, right = drawn[0].axes
    assert left.get_title().startswith("PBE0/x")
    assert right.get_title().startswith("GFN2-xTB")
    assert "10.00\n50 %" in [text.get_text() for text in left.texts]
    savings.draw(both := pd.concat([runs, runs.assign(testset="u")]), savings.numbers(both), "unused", TITLES)
    assert [axes.get_title().split("  ")[0] for axes in drawn[1].axes] == [f"{c}\n{t}" for t in "tu" for c in TITLES.values()]
    with pytest.raises(ValueError, match="no optimisation"):
        savings.draw(runs.assign(status="failed"), savings.numbers(runs.assign(status="failed")), "unused", TITLES)
