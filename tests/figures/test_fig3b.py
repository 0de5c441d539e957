import numpy as np
import pandas as pd
import pytest

from morered import storage
from morered.figures import style
from morered.figures.catalogue.fig3b import drawing as fig3b
from morered.structures import Column, Structures, as_names, offsets_of
from morered.trajectories import Trajectories

NAMES = ["a", "b", "c"]


def dimers(lengths, ids, references=None, **columns):
    structures = Structures.build([[6, 6]] * len(lengths), [[[0, 0, 0], [0, 0, length]] for length in lengths], ids, references)
    return structures.with_columns({name: Column(np.array(values)) for name, values in columns.items()})


def trajectories(ids, used, predicted=None):
    """Steps as `morered.relaxation` records them: steps taken so far, and times in [0, 1]."""
    columns = {
        "step": Column(np.concatenate([np.arange(len(u)) + 1 for u in used])),
        "time": Column(np.concatenate(used) / 999),
    }
    if predicted is not None:
        columns["predicted_time"] = Column(np.concatenate(predicted) / 999)
    return Trajectories(as_names(ids), offsets_of([len(u) for u in used]), columns)


@pytest.fixture
def files(tmp_path):
    """Three dimers followed with both schedules; their RMSDs are half the differences of length."""
    parts = {
        "minima": dimers([1.0] * 3, ["A", "B", "C"]),
        "inputs": dimers([1.2, 1.4, 1.6, 1.1], [*NAMES, "d"], ["A", "B", "C", "A"]),
        "adaptive_ends": dimers([1.02, 1.04, 1.06], NAMES, verdict=[b"converged"] * 3, steps=[3, 2, 4]),
        "fixed_ends": dimers([1.1, 1.2, 1.3], NAMES, verdict=[b"converged"] * 3, steps=[3, 4, 5]),
    }
    paths = {name: tmp_path / f"{name}.h5" for name in (*parts, "adaptive", "fixed")}
    for name, structures in parts.items():
        storage.write(paths[name], structures)
    used = [[2, 1, 0], [5, 0], [9, 4, 6, 0]]
    trajectories(NAMES, used).write(paths["adaptive"])
    fixed = [[2, 1, 0], [3, 2, 1, 0], [4, 3, 2, 1, 0]]
    trajectories(NAMES, fixed, [[2, 3, 2], [3, 3, 3, 3], [4, 4, 4, 4, 4]]).write(paths["fixed"])
    return paths


def test_numbers_by_hand(files, tmp_path, assert_figure):
    curves, table = fig3b.make(**files, stem=tmp_path / "fig3b")
    c = curves[(curves["id"] == "c") & (curves["schedule"] == "adaptive")]
    assert c["iteration"].tolist() == [0, 1, 2, 3]
    assert c["t"].tolist() == [10, 5, 7, 1]  # the paper's t is the index plus 1
    a = curves[(curves["id"] == "a") & (curves["schedule"] == "fixed")]
    assert a["t"].tolist() == [3, 2, 1]
    assert a["predicted_t"].tolist() == [3, 4, 3]
    again, _ = fig3b.make(**files, stem=tmp_path / "fig3b", steps=(1999, 1000))
    assert again.loc[(again["id"] == "c") & (again["schedule"] == "adaptive"), "t"].tolist() == [19, 9, 13, 1]
    assert again.loc[again["schedule"] == "fixed"].equals(curves.loc[curves["schedule"] == "fixed"])
    np.testing.assert_allclose(table["rmsd_before"], [0.1, 0.2, 0.3], atol=1e-12)
    np.testing.assert_allclose(table["rmsd_adaptive"], [0.01, 0.02, 0.03], atol=1e-12)
    np.testing.assert_allclose(table["rmsd_fixed"], [0.05, 0.1, 0.15], atol=1e-12)
    assert table["steps_adaptive"].tolist() == [3, 2, 4]
    assert table["steps_fixed"].tolist() == [3, 4, 5]
    assert_figure(tmp_path / "fig3b", style.PAGE)
    assert len(pd.read_csv(tmp_path / "fig3b.csv")) == 9 + 12
    assert list(pd.read_csv(tmp_path / "fig3b.rmsd.csv")["id"]) == NAMES


def test_a_molecule_that_was_not_followed_with_both_schedules_is_refused(files, tmp_path):
    trajectories(NAMES[:2], [[0], [0]], [[0], [0]]).write(files["fixed"])
    with pytest.raises(KeyError, match="'c'"):
        fig3b.make(**files, stem=tmp_path / "fig3b")


def test_a_fixed_schedule_without_predictions_is_refused(files, tmp_path):
    trajectories(NAMES, [[2, 1, 0], [3, 2, 1, 0], [4, 3, 2, 1, 0]]).write(files["fixed"])
    with pytest.raises(ValueError, match="without the times"):
        fig3b.make(**files, stem=tmp_path / "fig3b")


def test_solid_dashed_and_dots(files, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(style, "save", lambda figure, *_: drawn.append(figure))
    fig3b.make(**files, stem=tmp_path / "fig3b")
    lines = drawn[0].axes[0].get_lines()
    solid = [line for line in lines if line.get_linestyle() == "-" and line.get_marker() == "None"]
    dashed = [line for line in lines if line.get_linestyle() == "--" and line.get_marker() == "None"]
    dots = [line for line in lines if line.get_marker() == "."]
    assert [len(line.get_xdata()) for line in solid] == [3, 2, 4]
    assert [len(line.get_xdata()) for line in dashed] == [3, 4, 5]
    assert [line.get_ydata().tolist() for line in dots] == [[3, 4, 3], [4] * 4, [5] * 5]
    assert len({line.get_color() for line in solid}) == 3
    assert [line.get_color() for line in solid] == [line.get_color() for line in dashed] == [line.get_color() for line in dots]
    cells = drawn[0].axes[1].tables[0].get_celld()
    assert [cells[1, k].get_text().get_text() for k in range(3)] == ["0.100", "0.010", "0.050"]


def test_a_long_adaptive_run_breaks_the_axis(files, tmp_path, monkeypatch):
    """What happens at first is shown at full width, the rest beside it."""
    drawn = []
    monkeypatch.setattr(style, "save", lambda figure, *_: drawn.append(figure))
    trajectories(NAMES, [[9, 4, *[2] * 98], [5, 0], [9, 0]]).write(files["adaptive"])
    fig3b.make(**files, stem=tmp_path / "fig3b")
    first, rest, side = drawn[0].axes
    assert first.get_xlim() == (0, 7.5)  # half as many again as the 5 steps of the longest fixed run
    assert rest.get_xlim()[0] == 7.5
    assert rest.get_xlim()[1] >= 99
    assert first.get_ylim() == rest.get_ylim()
    curves = [[line for line in axes.get_lines() if len(line.get_xdata()) == 100] for axes in (first, rest)]
    assert [len(lines) for lines in curves] == [1, 1]
    assert side.tables
