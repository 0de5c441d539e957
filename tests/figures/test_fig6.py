import numpy as np
import pandas as pd
import pytest

from morered.energies.sampling import INPUT, REFERENCE
from morered.figures import comparison, style
from morered.figures.catalogue.fig6 import drawing as fig6

DIFFERENCES = {
    REFERENCE: [0, 0, 0, np.nan],
    INPUT: [50, 60, 70, np.nan],
    "MoreRed-JT": [-0.5, 0.5, 1.5, 0.2],
    "MLFF": [-2, -3, np.nan, 4],
}


@pytest.fixture
def energies():
    """Four inputs; a reference and a relaxed structure have no energy."""
    rows = [
        (f"m{k}", source, value, 0.1 if source == INPUT else -0.01 * k, 0.0)
        for source, values in DIFFERENCES.items()
        for k, value in enumerate(np.where(np.isnan(DIFFERENCES[REFERENCE]), np.nan, values))
    ]
    return pd.DataFrame(rows, columns=["id", "source", "difference_kcal_mol", "bond_change", "distance_change"])


def test_numbers_by_hand(energies):
    table = fig6.numbers(energies, "normal-modes").set_index("method")
    assert list(table.index) == [INPUT, "MoreRed-JT", "MLFF"]
    jt, mlff = table.loc["MoreRed-JT"], table.loc["MLFF"]
    assert (jt.n, jt.failed, mlff.n, mlff.failed) == (3, 1, 2, 2)
    assert (jt.median_energy, mlff.median_energy) == (0.5, -2.5)
    assert jt.within_1_percent == jt.less_than_1_above_percent == pytest.approx(200 / 3)
    assert (mlff.within_1_percent, mlff.less_than_1_above_percent, mlff.below_percent) == (0, 100, 100)
    assert jt.bond_change == pytest.approx(-0.015)
    # the lowest of the three inputs: -2 (MLFF), -3 (MLFF), 0 (reference)
    assert table["median_above_lowest"].to_dict() == {INPUT: 63, "MoreRed-JT": 1.5, "MLFF": 0}


def test_the_papers_statements_are_compared(energies):
    table = comparison.compare(fig6.compared(fig6.numbers(energies, "normal-modes")))
    rows = table[(table["place"] == "Section 3.2, Fig. 6") & table["this_run"].notna()]
    told = rows.set_index(["method", "quantity"])["this_run"]
    assert told["MoreRed-JT", "relaxed structures less than 1 kcal/mol above the minimum"] == pytest.approx(200 / 3)
    assert told["MLFF", "relaxed structures below the minimum in energy"] == 100
    assert len(told) == 2  # the others' methods are not there
    assert set(rows["holds"]) == {"yes"}
    assert comparison.compare(fig6.compared(fig6.numbers(energies, "other")))["this_run"].isna().all()


def test_files(energies, tmp_path, assert_figure):
    table = fig6.make(
        energies, tmp_path / "fig6", tmp_path / "page.html", testset="normal-modes", level="PBE0/x", note="Toy <1>."
    )
    assert_figure(tmp_path / "fig6", style.COLUMN)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "fig6.csv"), table, check_dtype=False)
    page = (tmp_path / "page.html").read_text()
    assert "PBE0/x" in page
    assert "Toy &lt;1&gt;." in page
    assert ">MLFF<" in page


def test_the_band_and_what_stands_above_the_boxes(energies, monkeypatch):
    drawn = []
    monkeypatch.setattr(style, "save", lambda figure, *_: drawn.append(figure))
    fig6.draw(energies, fig6.numbers(energies, "normal-modes"), "unused", "PBE0/x")
    (axes,) = drawn[0].axes
    assert [text.get_text() for text in axes.texts if "%" in text.get_text()] == ["0.50\n67 %", "-2.50\n100 %"]
    assert [label.get_text().replace("\n", "") for label in axes.get_xticklabels()] == ["MoreRed-JT", "MLFF"]
    band = axes.patches[-1].get_extents().transformed(axes.transData.inverted())
    assert (band.y0, band.y1) == pytest.approx((-1, 1))
    assert axes.get_ylim()[0] == pytest.approx(-4.2)
    assert axes.get_ylabel() == "ΔE to the reference (kcal/mol)\nPBE0/x"


def test_structures_far_above_are_counted_and_the_lowest_is_shown(energies, monkeypatch):
    drawn = []
    monkeypatch.setattr(style, "save", lambda figure, *_: drawn.append(figure))
    far = energies.assign(difference_kcal_mol=energies["difference_kcal_mol"].replace({1.5: 500.0, -3.0: -30.0}))
    fig6.draw(far, fig6.numbers(far, "normal-modes"), "unused", "PBE0/x")
    (axes,) = drawn[0].axes
    assert axes.get_ylim() == pytest.approx((-31.5, 20))
    assert "0.50\n67 %\n1" in [text.get_text() for text in axes.texts]


def test_inputs_that_lie_on_the_axis_are_drawn(energies, monkeypatch):
    drawn = []
    monkeypatch.setattr(style, "save", lambda figure, *_: drawn.append(figure))
    near = energies.assign(difference_kcal_mol=energies["difference_kcal_mol"].replace({50: 5, 60: 6, 70: 70}))
    fig6.draw(near, fig6.numbers(near, "drugs"), "unused", "PBE0/x")
    (axes,) = drawn[0].axes
    assert [label.get_text().replace("\n", "") for label in axes.get_xticklabels()] == [INPUT, "MoreRed-JT", "MLFF"]


def test_no_energy_at_all_is_told(energies):
    nothing = energies.assign(difference_kcal_mol=np.nan)
    with pytest.raises(ValueError, match="no relaxed structure has an energy"):
        fig6.draw(nothing, fig6.numbers(nothing, "normal-modes"), "unused", "PBE0/x")
