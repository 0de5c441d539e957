"""What figures 2 and A1 and table D ask of networks: the reverse process, predicted times, seconds of a step."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "relaxation"))  # for relaxation_support

from relaxation_support import Oracle, minima, model

from morered import storage
from morered.datasets import cifar10, splits
from morered.figures import fig2, predicted_times, step_times, tableD
from morered.metrics.rmsd import rmsd
from morered.models import weights
from morered.models.config import ModelConfig
from morered.models.networks import build
from morered.structures import Structures


@pytest.fixture(scope="module")
def molecules():
    return minima()


@pytest.fixture
def weights_file(tmp_path, molecules):
    """An untrained joint network that knows the elements of the molecules."""
    torch.manual_seed(0)
    path = tmp_path / "jt.safetensors"
    elements = tuple(sorted(set(molecules.numbers.tolist())))
    training = {"molecules": 7, "steps": 30, "epochs": 2.5, "seconds": 12.0}
    weights.save(
        path,
        build(ModelConfig(features=4, interactions=1)),
        weights.WeightsHeader(elements=elements, sizes=(3, 23), training=training),
    )
    return path


class TestReverseProcess:
    def test_an_exact_network_takes_imidazole_back(self):
        steps = (0, 100, 250)
        recorded = fig2.record_reverse(model(Oracle(fig2.imidazole(), "noise")), steps)
        assert len(recorded.trajectory(0).columns["time"]) == 250
        start = fig2.forward(fig2.imidazole(), steps)[-1]
        back = fig2.backward(recorded, start, steps)
        ends = [float(rmsd(structure, fig2.imidazole())[0]) for structure in (back[0], back[100], start)]
        assert ends[0] < 0.02 < ends[1] < ends[2]  # Å: what the noise of the last step, 0.003, and its rounding leave

    def test_a_network_without_noise_is_refused(self):
        with pytest.raises(ValueError, match="noise"):
            fig2.record_reverse(model(Oracle(fig2.imidazole(), "time")))


class TestMoleculesTimes:
    def test_the_molecule_has_14_atoms_or_as_near_to_that_as_there_are(self, molecules):
        assert predicted_times.choose(molecules).n_atoms == 14
        few = molecules[np.flatnonzero(molecules.sizes < 12)]
        assert predicted_times.choose(few).n_atoms == 11
        oxygen = predicted_times.choose(molecules, frozenset({1, 6, 8}))
        assert set(oxygen.numbers.tolist()) <= {1, 6, 8}
        with pytest.raises(ValueError, match="no test minimum"):
            predicted_times.choose(molecules, frozenset({1}))

    def test_an_exact_network_predicts_small_times_best(self, molecules):
        minimum = predicted_times.choose(molecules)
        table = predicted_times.of_molecule(model(Oracle(minimum, "time")), minimum, repeats=2)
        assert table["t"].tolist() == np.repeat(np.arange(1, 1001), 2).tolist()
        error = (table["predicted_t"] - table["t"]).abs()
        # The radius of 3 x 13 free coordinates scatters by 1 / sqrt(2 x 39) = 11 %, and so does the noise level.
        assert error[table["t"] <= 100].mean() < 15
        assert error[table["t"] <= 100].mean() < 0.5 * error[table["t"].between(300, 600)].mean()
        assert table["predicted_t"].corr(table["t"]) > 0.9
        pd.testing.assert_frame_equal(
            table, predicted_times.of_molecule(model(Oracle(minimum, "time")), minimum, repeats=2)
        )  # the same noise each time

    def test_what_cannot_be_shown_is_refused(self, molecules):
        with pytest.raises(ValueError, match="one molecule"):
            predicted_times.of_molecule(model(Oracle(molecules, "time")), molecules[:2])
        with pytest.raises(ValueError, match="predicts no time"):
            predicted_times.of_molecule(model(Oracle(molecules, "noise")), molecules[0])

    def test_both_halves_from_files(self, tmp_path, molecules, weights_file):
        storage.write(tmp_path / "minima.h5", molecules)
        names = tuple(sorted(molecules.names))
        split = splits.Split(names[:1], names[1:2], names[2:], {name: name for name in names})
        splits.save(tmp_path / "split.json", split)
        pd.DataFrame({"t": [1], "predicted_t": [2], "images": "two photographs"}).to_csv(tmp_path / "images.csv", index=False)
        assert predicted_times.collect() == {}
        shown = predicted_times.collect(weights_file, tmp_path / "minima.h5", tmp_path / "split.json", tmp_path / "images.csv")
        molecule, image = shown
        assert "14 atoms" in molecule
        assert "42" in molecule
        assert "two photographs" in image
        assert len(shown[molecule]) == 1000


class TestImagesTimes:
    def test_photographs_are_held_out(self, monkeypatch):
        seen = {}

        def train(images, schedule, steps, **settings):
            seen["training"] = images
            return predicted_times.image_time.ImageTimePredictor(1).eval()

        def of_image(network, image, schedule, **settings):
            seen["shown"] = image
            return pd.DataFrame({"t": [1], "predicted_t": [1]})

        monkeypatch.setattr(predicted_times.image_time, "train", train)
        monkeypatch.setattr(predicted_times, "of_image", of_image)
        table = predicted_times.train_on_images(None, 5)
        assert table["images"].unique().tolist() == ["patches of scikit-learn's sample photographs"]
        training, shown = seen["training"], seen["shown"]
        assert training.shape[1:] == shown.shape == (3, 32, 32)
        assert len(training) == len(cifar10.from_photographs(32).pixels) - predicted_times.HELD_OUT
        assert (training - shown).abs().amax((1, 2, 3)).min() > 0
        assert training.abs().max() <= 1

    def test_colours_stay_apart_and_pixels_in_place(self):
        pixels = np.zeros((1, 32, 32, 3), np.uint8)
        pixels[0, 5, 7] = (255, 0, 51)
        tensor = predicted_times._tensor(cifar10.Images(pixels, "one"))
        assert tensor[0, :, 5, 7].tolist() == pytest.approx([1.0, -1.0, 51 / 127.5 - 1])
        assert (tensor[0, :, 5, 8] == -1).all()

    def test_cifar_trains_on_its_training_part_and_shows_a_test_image(self, monkeypatch, tmp_path):
        parts = {name: np.full((3, 32, 32, 3), value, np.uint8) for name, value in (("train", 0), ("test", 255))}
        monkeypatch.setattr(cifar10, "from_archive", lambda path, part="train": cifar10.Images(parts[part], "CIFAR-10"))
        table = predicted_times.train_on_images(tmp_path, 1, features=1)
        assert table["t"].tolist() == list(range(1, 1001))
        assert table["predicted_t"].between(1, 1000).all()
        assert set(table["images"]) == {"CIFAR-10"}


class TestStepTimes:
    def test_seconds_of_a_step_alone_and_in_a_batch(self, molecules, weights_file):
        config = {"relaxer": "morered", "noise": weights_file, "time": weights_file, "schedule": "initial"}
        # An untrained network blows structures up within a few steps, so that some have no further ones to time.
        table = step_times.measure({"A": config, "B": {**config, "steps": 1000}}, molecules[:3], batch=4, steps=2)
        assert table["method"].tolist() == ["A", "B"]
        assert table["batch"].tolist() == [4, 4]
        assert (table[["seconds_per_step", "seconds_per_batch_step"]].fillna(0) >= 0).all(axis=None)

    def test_the_time_of_a_step_is_the_difference_of_two_runs(self, molecules, monkeypatch):
        clock = iter([0.0, 9.0, 10.0, 12.0, 20.0, 27.0])  # 9 s with loading, 2 s for 2 steps, 7 s for 12

        def relax(structures, method, **_):
            taken = structures.with_columns({"steps": step_times_column(method.steps, len(structures))})
            return type("Relaxation", (), {"structures": taken})

        monkeypatch.setattr(step_times, "relax", relax)
        monkeypatch.setattr(step_times.time, "perf_counter", lambda: next(clock))
        method = step_times.from_config({"relaxer": "so3lr"})
        assert step_times._seconds(method, molecules[:2], 10, "cpu") == pytest.approx(0.5)

    def test_programs_have_no_steps_in_batches(self, molecules):
        with pytest.raises(ValueError, match="GFN2-xTB"):
            step_times.measure({"GFN2-xTB": {"relaxer": "gfn2"}}, molecules)

    def test_they_stand_beside_the_papers_in_table_d(self, run, tmp_path, weights_file):
        measured = pd.DataFrame(
            {
                "method": ["MoreRed-JT", "mine"],
                "batch": 128,
                "steps": 20,
                "seconds_per_step": [0.01, 0.02],
                "seconds_per_batch_step": 1.0,
            }
        )
        tableD.make(run("t", "MoreRed-JT", [0.5]), tmp_path / "tableD", measured=measured, weights={"jt": weights_file})
        steps = pd.read_csv(tmp_path / "tableD.steps.csv").set_index("method")
        assert steps.loc["MoreRed-JT", ["seconds_per_step", "paper_seconds_per_step"]].tolist() == [0.01, 0.03]
        assert steps.loc["MoreRed-JT", "paper_seconds_per_batch_step"] == 0.05
        assert np.isnan(steps.loc["mine", "paper_seconds_per_step"])
        training = pd.read_csv(tmp_path / "tableD.training.csv").iloc[0]
        assert (training["model"], training["seconds"], training["molecules"], training["paper_days"]) == ("jt", 12.0, 7, 1.45)
        page = (tmp_path / "tableD.html").read_text(encoding="utf-8")
        for head in ("One step", "Training"):
            assert f"<h2>{head}</h2>" in page


def step_times_column(steps, molecules):
    from morered.structures import Column

    return Column(np.full(molecules, steps))


def test_one_molecule_is_repeated_to_fill_a_batch(molecules, monkeypatch):
    seen: list[Structures] = []
    monkeypatch.setattr(step_times, "_seconds", lambda method, structures, steps, device: seen.append(structures) or 1.0)
    step_times.measure({"SO3LR": {"relaxer": "so3lr"}}, molecules[:2], batch=5)
    alone, together = seen
    assert len(alone) == 1
    assert [m.numbers.tolist() for m in together] == [molecules.molecule(k % 2).numbers.tolist() for k in range(5)]
    assert len(set(together.names)) == 5  # noise goes by the id
