"""Table D: single steps and trainings beside the paper's."""

import numpy as np
import pandas as pd
import pytest

from morered.figures.catalogue.tableD import drawing as tableD
from morered.models import weights
from morered.models.networks import build
from morered.settings.networks import ModelConfig


@pytest.fixture
def weights_file(tmp_path):
    path = tmp_path / "jt.safetensors"
    training = {"molecules": 7, "steps": 30, "epochs": 2.5, "seconds": 12.0}
    header = weights.WeightsHeader(elements=(1, 6), sizes=(3, 23), training=training)
    weights.save(path, build(ModelConfig(features=4, interactions=1)), header)
    return path


def test_they_stand_beside_the_papers_in_table_d(run, tmp_path, weights_file):
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
    assert training["trainings"] == 1
    page = (tmp_path / "tableD.html").read_text(encoding="utf-8")
    for head in ("One step", "Training"):
        assert f"<h2>{head}</h2>" in page


def test_a_training_counts_those_that_it_began_from(tmp_path):
    before = [
        {"molecules": 9, "steps": 100, "epochs": 11.0, "seconds": 50.0},
        {"molecules": 7, "steps": 60, "epochs": 8.5, "seconds": 30.0, "trainings": 3},
    ]
    training = {"molecules": 7, "steps": 30, "epochs": 2.5, "seconds": 12.0, "before": before}
    header = weights.WeightsHeader(elements=(1, 6), sizes=(3, 23), training=training)
    weights.save(tmp_path / "jt.safetensors", build(ModelConfig(features=4, interactions=1)), header)
    row = tableD.trainings({"jt": tmp_path / "jt.safetensors"}).iloc[0]
    assert row[["molecules", "trainings", "steps", "epochs", "seconds"]].tolist() == [7, 5, 190, 22.0, 92.0]


@pytest.mark.parametrize(("name", "trainings"), [("jt", 2), ("noise", 2), ("jt-elastic", 8), ("time", 1)])
def test_networks_that_ship_say_what_they_began_from(name, trainings):
    row = tableD.trainings({name: f"morered-{name}"}).iloc[0]
    assert row["trainings"] == trainings
    assert row["seconds"] > 0
