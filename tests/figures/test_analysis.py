"""Figures B1 and C3, table D, and bars."""

import numpy as np
import pandas as pd
import pytest

from morered import storage
from morered.chemistry import closest_contacts
from morered.figures import bars, style
from morered.figures.catalogue.figB1 import drawing as figB1
from morered.figures.catalogue.figC3 import drawing as figC3
from morered.figures.catalogue.tableD import drawing as tableD
from morered.structures import Structures


@pytest.fixture
def seeds(run):
    """Four molecules, three seeds of one variant: RMSDs after 0.1, 0.2, 0.3 times the same before."""
    before = np.array([0.1, 0.2, 0.3, 0.4])
    frames = [run("normal-modes", "MoreRed-JT", [share] * 4, before=before, seed=k) for k, share in enumerate((0.1, 0.2, 0.3))]
    return pd.concat([*frames, run("normal-modes", "MLFF", [0.5, 0.5, 2.0, 0.5], before=before)], ignore_index=True)


class TestFigureB1:
    def test_numbers_by_hand(self, seeds):
        methods, bins, points = figB1.numbers(seeds, "normal-modes", bins=2)
        methods = methods.set_index("method")
        assert methods.loc["MoreRed-JT", ["n", "median_rmsd", "failure_percent"]].tolist() == pytest.approx([4, 0.025, 0])
        assert methods.loc["MLFF", ["mean_rmsd", "failure_percent"]].tolist() == pytest.approx([(0.05 + 0.1 + 0.6 + 0.2) / 4, 25])
        assert bins["method"].unique().tolist() == ["MoreRed-JT"]
        assert bins["n"].tolist() == [2, 2]
        assert bins["seeds"].tolist() == [3, 3]
        np.testing.assert_allclose(bins["rmsd_before"], [0.15, 0.35])
        np.testing.assert_allclose(bins["rmsd_after"], [0.03, 0.07])
        # A molecule's RMSDs are 0.1, 0.2, 0.3 times its first one: their standard deviation is 0.1 times it.
        np.testing.assert_allclose(bins["spread"], [0.015, 0.035])
        np.testing.assert_allclose(bins["spread_of_mean"], [0.015, 0.035])
        assert points["method"].value_counts().to_dict() == {"MoreRed-JT": 4, "MLFF": 4}  # one seed

    def test_independent_seeds_spread_a_bins_mean_less_than_its_molecules(self, run):
        rng = np.random.default_rng(0)
        runs = pd.concat([run("t", "MoreRed-AS", rng.uniform(0.1, 0.3, 400), seed=k) for k in range(5)], ignore_index=True)
        row = figB1.numbers(runs, "t", bins=1)[1].iloc[0]
        assert row["spread_of_mean"] < 0.2 * row["spread"]

    def test_further_seeds_of_a_sample(self, seeds):
        """Panel b and the spreads are of the molecules that all seeds have, boxes and medians of all."""
        sampled = seeds[(seeds["seed"] == 0) | seeds["id"].isin(sorted(set(seeds["id"]))[:2])]
        methods, bins, _ = figB1.numbers(sampled, "normal-modes", bins=1)
        jt = methods.set_index("method").loc["MoreRed-JT"]
        assert (jt["n"], jt["seeds"], jt["median_rmsd"]) == (4, 3, pytest.approx(0.025))
        assert jt["median_rmsd_spread"] == pytest.approx(np.std([0.015, 0.03, 0.045], ddof=1))
        assert bins[["n", "seeds"]].to_numpy().tolist() == [[2, 3]]
        np.testing.assert_allclose(bins["rmsd_before"], [0.15])

    def test_one_seed_has_no_spread(self, seeds):
        bins = figB1.numbers(seeds[seeds["seed"] == 0], "normal-modes", bins=2)[1]
        assert bins["spread"].isna().all()
        np.testing.assert_allclose(bins["rmsd_after"], [0.015, 0.035])

    def test_more_bins_than_molecules(self, seeds):
        assert figB1.numbers(seeds, "normal-modes", bins=8)[1]["n"].tolist() == [1, 1, 1, 1]

    def test_files(self, seeds, tmp_path, assert_figure):
        methods, bins, points = figB1.make(seeds, tmp_path / "figB1", "normal-modes", bins=2)
        assert_figure(tmp_path / "figB1", style.PAGE)
        for name, frame in (("", methods), (".bins", bins), (".points", points)):
            pd.testing.assert_frame_equal(pd.read_csv(tmp_path / f"figB1{name}.csv"), frame, check_dtype=False)

    def test_without_variants_only_the_boxes_are_drawn(self, seeds, tmp_path, assert_figure):
        figB1.make(seeds[seeds["method"] == "MLFF"], tmp_path / "figB1", "normal-modes", scattered=())
        assert_figure(tmp_path / "figB1", style.PAGE)


def write_log(path, losses):
    """A log with the columns that training writes."""
    pd.DataFrame(
        {
            "step": np.arange(len(losses)) * 10,
            "epoch": np.arange(len(losses)) * 0.5,
            "seconds": 1.0,
            "learning_rate": 1e-3,
            "skipped": 0,
            "train_loss": losses,
            "train_noise": losses,
            "val_loss": np.array(losses) + 0.1,
            "val_noise": 0.0,
            "val_constant_noise": 1.0,
        }
    ).to_csv(path, index=False)


@pytest.fixture
def minima(tmp_path):
    rng = np.random.default_rng(0)
    sizes = [9, 10, 12, 12, 14]
    parts = [1.6 * np.array([[i, (i * 7) % 3, 0.3 * (i % 2)] for i in range(n)]) + 0.01 * rng.normal(size=(n, 3)) for n in sizes]
    structures = Structures.build([[6] * (n - 4) + [1] * 4 for n in sizes], parts, [f"m{k}" for k in range(len(sizes))])
    storage.write(tmp_path / "minima.h5", structures)
    return tmp_path / "minima.h5"


class TestFigureC3:
    def test_losses_come_from_the_logs(self, tmp_path):
        write_log(tmp_path / "a.csv", [1.0, 0.5, 0.3])
        write_log(tmp_path / "b.csv", [2.0])
        table = figC3.numbers({"jt": tmp_path / "a.csv", "noise": tmp_path / "b.csv"})
        assert table["model"].tolist() == ["jt"] * 3 + ["noise"]
        assert table["train_loss"].tolist() == [1.0, 0.5, 0.3, 2.0]
        np.testing.assert_allclose(table["val_loss"], [1.1, 0.6, 0.4, 2.1])
        write_log(tmp_path / "c.csv", [])
        with pytest.raises(ValueError, match="no rows"):
            figC3.numbers({"mlff": tmp_path / "c.csv"})

    def test_the_densest_molecule_is_found(self, minima):
        structures = storage.read(minima)
        before, after = figC3.densest(structures)
        assert before.names[0] != "m0"  # too small to count
        assert before.names[0] == after.references[0].decode()

        def share(m):
            one = structures[m]
            noisy = figC3.diffused_inputs(one, steps=figC3.STEP)
            return figC3._mean_distance(noisy.positions) / figC3._mean_distance(one.positions)

        shares = {structures.names[m]: share(m) for m in range(1, 5)}  # alone or together: the noise is the same
        assert min(shares, key=shares.get) == before.names[0]

    def test_files(self, minima, tmp_path, assert_figure):
        write_log(tmp_path / "a.csv", [1.0, 0.5, 0.3])
        figC3.make({"jt": tmp_path / "a.csv"}, minima, tmp_path / "figC3")
        assert_figure(tmp_path / "figC3", style.PAGE)
        facts = pd.read_csv(tmp_path / "figC3.molecule.csv")
        assert facts["t"].tolist() == [0, 916]
        before, after = figC3.densest(storage.read(minima))
        assert facts["closest_contact"].tolist() == pytest.approx([closest_contacts(before)[0], closest_contacts(after)[0]])
        assert facts["mean_distance"].iloc[1] < facts["mean_distance"].iloc[0]


class TestTableD:
    def test_numbers_by_hand(self, run, tmp_path):
        verdicts = ["converged", "step-cap", "refused", "failed"]
        runs = pd.concat(
            [
                run(
                    "normal-modes",
                    "MoreRed-ITP",
                    [0.5, 0.5, 1, 1],
                    steps=[10, 1000, 0, 7],
                    seconds=[1.0, 4.05, 9.0, 9.0],
                    verdict=verdicts,
                ),
                run("mine", "MMFF94", [0.5], steps=[0], seconds=[0.02]),
            ],
            ignore_index=True,
        )
        table = tableD.make(runs, tmp_path / "tableD", note="One <core>.").set_index("method")
        itp = table.loc["MoreRed-ITP"]
        # The refused and the failed molecule have no number of steps; the capped one has the cap.
        assert (itp["n"], itp["unrelaxed"], itp["mean_steps"], itp["median_steps"]) == (2, 2, 505, 505)
        assert itp["step_cap_percent"] == 50
        assert itp["seconds_per_step"] == pytest.approx(5.05 / 1010)
        assert itp["seconds_per_relaxation"] == pytest.approx(2.525)
        assert (itp["paper_mean_steps"], itp["paper_median_steps"]) == (64, 53)
        assert np.isnan(table.loc["MMFF94", "seconds_per_step"])
        assert list(pd.read_csv(tmp_path / "tableD.csv")) == list(tableD.HEADS)
        page = (tmp_path / "tableD.html").read_text(encoding="utf-8")
        assert "One &lt;core&gt;." in page
        assert "<td class=number>505</td>" in page
        assert "<td class=number>–</td>" in page


class TestBars:
    table = pd.DataFrame(
        {
            "case": ["a", "a", "b", "b"],
            "mode": ["one", "many", "one", "many"],
            "ms": [10.0, 2.0, 30.0, np.nan],
        }
    )

    def test_files(self, tmp_path, assert_figure):
        for name, settings in {"plain": {}, "logarithmic": {"log": True, "title": "title"}}.items():
            bars.draw(self.table, tmp_path / name, value="ms", label="time (ms)", series="mode", **settings)
            assert_figure(tmp_path / name)
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "plain.csv"), self.table)

    def test_a_bar_for_each_number(self, monkeypatch):
        drawn = []
        monkeypatch.setattr(style, "save", lambda figure, *_: drawn.append(figure))
        bars.draw(self.table, "unused", value="ms", label="time (ms)", series="mode")
        (axes,) = drawn[0].axes
        assert sorted(patch.get_width() for patch in axes.patches) == [2.0, 10.0, 30.0]
        assert {text.get_text() for text in axes.texts} == {"2", "10", "30"}
        assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
