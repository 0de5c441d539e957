"""Predicted time steps of a molecule and of an image."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "relaxation"))  # for relaxation_support

from relaxation_support import Oracle, minima, model, untrained_joint

from morered import storage
from morered.datasets import cifar10, splits
from morered.training import predicted_times


@pytest.fixture(scope="module")
def molecules():
    return minima()


@pytest.fixture
def weights_file(tmp_path, molecules):
    return untrained_joint(tmp_path / "jt.safetensors", molecules)


def test_the_molecule_has_14_atoms_or_as_near_to_that_as_there_are(molecules):
    assert predicted_times.choose(molecules).n_atoms == 14
    few = molecules[np.flatnonzero(molecules.sizes < 12)]
    assert predicted_times.choose(few).n_atoms == 11
    oxygen = predicted_times.choose(molecules, frozenset({1, 6, 8}))
    assert set(oxygen.numbers.tolist()) <= {1, 6, 8}
    with pytest.raises(ValueError, match="no test minimum"):
        predicted_times.choose(molecules, frozenset({1}))


def test_an_exact_network_predicts_small_times_best(molecules):
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


def test_what_cannot_be_shown_is_refused(molecules):
    with pytest.raises(ValueError, match="one molecule"):
        predicted_times.of_molecule(model(Oracle(molecules, "time")), molecules[:2])
    with pytest.raises(ValueError, match="predicts no time"):
        predicted_times.of_molecule(model(Oracle(molecules, "noise")), molecules[0])


def test_a_test_minimum_from_files(tmp_path, molecules, weights_file):
    storage.write(tmp_path / "minima.h5", molecules)
    names = tuple(sorted(molecules.names))
    split = splits.Split(names[:1], names[1:2], names[2:], {name: name for name in names})
    splits.save(tmp_path / "split.json", split)
    table = predicted_times.of_test_molecule(weights_file, tmp_path / "minima.h5", tmp_path / "split.json")
    assert table["atoms"].unique().tolist() == [14]
    assert table["t"].tolist() == list(range(1, 1001))


def test_photographs_are_held_out(monkeypatch):
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


def test_colours_stay_apart_and_pixels_in_place():
    pixels = np.zeros((1, 32, 32, 3), np.uint8)
    pixels[0, 5, 7] = (255, 0, 51)
    tensor = predicted_times._tensor(cifar10.Images(pixels, "one"))
    assert tensor[0, :, 5, 7].tolist() == pytest.approx([1.0, -1.0, 51 / 127.5 - 1])
    assert (tensor[0, :, 5, 8] == -1).all()


def test_cifar_trains_on_its_training_part_and_shows_a_test_image(monkeypatch, tmp_path):
    parts = {name: np.full((3, 32, 32, 3), value, np.uint8) for name, value in (("train", 0), ("test", 255))}
    monkeypatch.setattr(cifar10, "from_archive", lambda path, part="train": cifar10.Images(parts[part], "CIFAR-10"))
    table = predicted_times.train_on_images(tmp_path, 1, features=1)
    assert table["t"].tolist() == list(range(1, 1001))
    assert table["predicted_t"].between(1, 1000).all()
    assert set(table["images"]) == {"CIFAR-10"}
