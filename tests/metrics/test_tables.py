"""Tables as CSV files: what is written is what is read, and no spreadsheet computes it."""

import pandas as pd

from morered.metrics.tables import read_table, write_table


def test_texts_that_look_like_formulas_come_back(tmp_path):
    names = ["=1+1", "@SUM(A1)", "-2+3", "'=1", "-5", "qm7/0001", "007", "water"]
    frame = pd.DataFrame({"id": names, "steps": range(8), "ratio": [-0.5, 1e-300, 0.1, 1 / 3, -1.0, 2.0, 3.0, 4.0]})
    write_table(frame, tmp_path / "t.csv")
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:5]] == ["'=1+1", "'@SUM(A1)", "'-2+3", "''=1"]
    assert lines[5] == "-5,4,-1.0"
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.csv").astype({"id": object}), frame.astype({"id": object}))
