"""The benchmark that `auto` was chosen from."""

import pandas as pd
import pytest


def test_a_row_is_one_start_one_method_and_one_class_of_sizes(benchmark):
    rows = pd.DataFrame(benchmark.measured("mmff94", {"preset": "fast"}, 6)).set_index("heavy_atoms")
    assert rows["n"].sum() == 6
    assert set(rows["method"]) == {"fast"}
    there = rows[rows["n"] > 0]
    assert there["converged_percent"].between(0, 100).all()
    assert (there["mean_ms"] > 0).all()
    assert rows.index.tolist() == ["1 to 7", "8 to 9", "10 to 12", "13 to 16", "17 to 20", "21 to 25", "26 to 99"]


def test_forces_at_which_mmff94_ends_are_compared_by_one_row_each(benchmark, tmp_path, capsys):
    benchmark.main(["--first-fmax", "0.1", "0.5", "--molecules", "3", "-o", str(tmp_path / "first.csv")])
    table = pd.read_csv(tmp_path / "first.csv")
    assert table["first_fmax"].tolist() == [0.1, 0.5]
    assert set(table["method"]) == {"auto"}
    assert table["n"].tolist() == [pytest.approx(table["n"][0])] * 2
    assert "first_fmax" in capsys.readouterr().out
