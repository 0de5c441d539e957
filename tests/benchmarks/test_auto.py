"""The benchmark that `auto` was chosen from."""

import pandas as pd


def test_a_row_is_one_start_one_method_and_one_class_of_sizes(benchmark):
    rows = pd.DataFrame(benchmark.measured("mmff94", "fast", 6)).set_index("heavy_atoms")
    assert rows["n"].sum() == 6
    assert set(rows["method"]) == {"fast"}
    there = rows[rows["n"] > 0]
    assert there["converged_percent"].between(0, 100).all()
    assert (there["mean_ms"] > 0).all()
    assert rows.index.tolist() == ["1 to 7", "8 to 9", "10 to 12", "13 to 16", "17 to 20", "21 to 25", "26 to 99"]


def test_the_table_has_a_row_for_each_start_and_class(benchmark, tmp_path, capsys):
    benchmark.main(["--methods", "auto", "--molecules", "3", "-o", str(tmp_path / "auto.csv")])
    table = pd.read_csv(tmp_path / "auto.csv")
    assert table["start"].tolist() == ["etkdg"] * 7 + ["mmff94"] * 7
    assert table.groupby("start")["n"].sum().tolist() == [3, 3]
    assert "heavy_atoms" in capsys.readouterr().out
