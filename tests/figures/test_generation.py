"""Figures B4, D1, D2 and table B1: their numbers by hand, and their files."""

import numpy as np
import pandas as pd
import pytest
from ase.build import molecule

from morered import storage
from morered.figures import comparison, style
from morered.figures.catalogue.figB4 import drawing as figB4
from morered.figures.catalogue.figD1 import drawing as figD
from morered.figures.catalogue.tableB1 import drawing as tableB1
from morered.generation.examine import COLUMNS, KNOWN, examine
from morered.metrics.tables import write_table
from morered.structures import Column, Structures, as_names
from morered.trajectories import Recorder

NAMES = ["CH3CH2OH", "C6H6", "CH4", "H2CO"]


@pytest.fixture(scope="module")
def samples():
    """Four molecules, the last of which has no structure."""
    atoms = [molecule(name) for name in NAMES]
    positions = [a.positions for a in atoms[:3]] + [np.zeros_like(atoms[3].positions)]
    ids = [f"sample/{k + 1:05d}" for k in range(4)]
    verdicts = np.array([b"converged", b"step-cap", b"converged", b"failed"])
    return Structures.build([a.numbers for a in atoms], positions, ids, NAMES).with_columns(
        {"verdict": Column(verdicts), "steps": Column(np.array([900, 2000, 1100, 3]))}
    )


@pytest.fixture(scope="module")
def table(samples):
    return examine(samples)


@pytest.fixture(scope="module")
def known():
    return pd.DataFrame([["1", "CH4", "C", "C"], ["2", "CH4", "", ""]], columns=list(KNOWN))


def made_up(valid, smiles, **columns):
    """A table of samples of which nothing but this matters."""
    n = len(valid)
    frame = pd.DataFrame({"valid": valid, "smiles": smiles, "graph": smiles, "id": [str(k) for k in range(n)]})
    others = {"reference": "", "formula": "CH4", "n_atoms": 5, "verdict": "converged", "steps": 10, "problem": "", "mended": 0}
    others |= {"valid_rdkit": 1, "geometry": "sound", "stable_atoms": 4, "stable": 0}
    return frame.assign(**others, **columns)


class TestTableB1:
    def test_shares_beside_the_papers(self, known):
        tables = {
            "DDPM": made_up([1, 1, 1, 0], ["CC", "CC", "C", ""]),
            "mine": made_up([0, 0, 1, 1], ["", "", "O", "N"]),
        }
        found = tableB1.numbers(tables, known).set_index(["method", "quantity"])
        assert list(tableB1.numbers(tables, known).columns) == tableB1.COLUMNS
        values = found.loc["DDPM", "value"]
        assert values[["valid_percent", "valid_unique_percent", "valid_unique_novel_percent"]].tolist() == [75, 50, 25]
        assert values[["stable_atoms_percent", "finished_percent", "mean_steps"]].tolist() == [80, 100, 10]
        assert found.loc[("DDPM", "valid_percent"), "paper"] == 78.2
        assert found.loc[("DDPM", "valid_unique_novel_percent"), "paper"] == 62.5
        assert np.isnan(found.loc[("mine", "valid_percent"), "paper"])
        assert found.loc[("mine", "valid_unique_novel_percent"), "value"] == 50
        assert found.loc[("", "valid_percent"), ["value", "n"]].tolist() == [50, 2]  # one of two known ones has a name
        inner = found.loc[("DDPM", "valid_percent")]
        assert inner["low"] < 75 < inner["high"]

    def test_files_and_the_comparison_with_the_paper(self, table, known, tmp_path):
        write_table(table, tmp_path / "samples.csv")
        write_table(known, tmp_path / "known.csv")
        made = tableB1.make({"MoreRed": tmp_path / "samples.csv"}, tmp_path / "known.csv", tmp_path / "tableB1", note="A note.")
        page = (tmp_path / "tableB1.html").read_text(encoding="utf-8")
        for words in ("A note.", "MoreRed", "V + U + N (%)", "89.3", "50.0 % ", "75.0 ["):
            assert words.replace("50.0 % ", "50 %") in page, words
        pd.testing.assert_frame_equal(
            pd.read_csv(tmp_path / "tableB1.csv", keep_default_na=False, na_values=[""]).fillna({"method": ""}), made
        )
        compared = comparison.compare(comparison.measured_generation(tmp_path / "tableB1.csv"))
        row = compared[(compared["method"] == "MoreRed") & (compared["quantity"] == "valid and unique")].iloc[0]
        assert (row["paper"], row["this_run"], row["n"]) == ("88", 75.0, 4)

    def test_no_sample_at_all_that_is_valid(self, known, tmp_path):
        nothing = made_up(
            [0, 0],
            ["", ""],
        ).assign(verdict="failed", steps=3)
        found = tableB1.numbers({"DDPM": nothing}, known).set_index(["method", "quantity"]).loc["DDPM"]
        assert found.loc["valid_percent", ["value", "low"]].tolist() == [0, 0]
        assert found.loc["valid_percent", "high"] > 50  # two samples say little
        assert np.isnan(found.loc["mean_steps", "value"])
        tableB1.write(tableB1.numbers({"DDPM": nothing}, known), tmp_path / "tableB1")
        assert "–" in (tmp_path / "tableB1.html").read_text(encoding="utf-8")


class TestFigureB4:
    @pytest.fixture
    def trajectories(self):
        recorder = Recorder(as_names(["sample/00001", "sample/00002"]), {})
        for step in range(5):
            running = np.array([0, 1]) if step < 3 else np.array([1])
            time = np.array([1.0, 0.5])[running] - 0.1 * step
            recorder.add(running, {"step": np.full(len(running), step + 1), "time": time}, None)
        return recorder.finish()

    @pytest.fixture
    def capped(self):
        rows = [made_up([0, 0, 1], ["", "", "C"], cap=50), made_up([1, 1, 1], ["C", "C", "CC"], cap=500)]
        return pd.concat(rows, ignore_index=True)

    def test_steps_carry_the_papers_numbering_and_what_became_of_the_sample(self, trajectories, table):
        curves = figB4.steps(trajectories, table)
        first = curves[curves["sample"] == 1]
        assert first["t"].tolist() == [1000, 900, 800]
        assert first["iteration"].tolist() == [0, 1, 2]
        assert set(first["formula"]) == {"C2H6O"}
        assert curves[curves["sample"] == 2]["t"].tolist() == [501, 401, 301, 201, 101]

    def test_shares_at_each_cap(self, capped):
        against = made_up([1, 0], ["C", ""]).assign(steps=1000)
        found = figB4.numbers(capped, against, ("MoreRed", "DDPM")).set_index(["method", "cap", "quantity"])["percent"]
        assert found["MoreRed", 50, "valid"] == found["MoreRed", 50, "unique"] == pytest.approx(100 / 3)
        assert found["MoreRed", 500, "valid"] == 100
        assert found["MoreRed", 500, "unique"] == pytest.approx(200 / 3)
        assert found["DDPM", 1000, "valid"] == 50

    def test_files(self, trajectories, table, capped, tmp_path, assert_figure):
        trajectories.write(tmp_path / "t.h5")
        for name, frame in (("ends", table), ("capped", capped), ("against", made_up([1, 0], ["C", ""]).assign(steps=1000))):
            write_table(frame, tmp_path / f"{name}.csv")
        paths = [tmp_path / "t.h5", *(tmp_path / f"{name}.csv" for name in ("ends", "capped", "against"))]
        (tmp_path / "out").mkdir()
        curves, shares = figB4.make(*paths, tmp_path / "out/figB4", ("MoreRed", "DDPM"))
        assert_figure(tmp_path / "out/figB4", style.PAGE)
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out/figB4.steps.csv"), curves, check_dtype=False)
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out/figB4.csv"), shares, check_dtype=False)


class TestGrids:
    def test_the_first_samples_whatever_became_of_them(self, table):
        shown = figD.numbers(table, 2)
        assert shown["id"].tolist() == ["sample/00001", "sample/00002"]
        assert set(figD.COLUMNS) <= set(COLUMNS)

    def test_files(self, samples, table, tmp_path, assert_figure):
        storage.write(tmp_path / "samples.h5", samples)
        write_table(table, tmp_path / "samples.csv")
        (tmp_path / "out").mkdir()
        shown = figD.make(tmp_path / "samples.h5", tmp_path / "samples.csv", tmp_path / "out/figD1", molecules=9)
        assert len(shown) == 4
        assert_figure(tmp_path / "out/figD1", style.PAGE)
