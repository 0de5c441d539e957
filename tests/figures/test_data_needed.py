"""The figure of what each method learns from: a line for each over the amount that its networks' headers state."""

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from morered.figures import style
from morered.figures.catalogue.dataNeeded import drawing
from morered.figures.declaration import figures_of
from morered.models import weights
from morered.models.networks import build
from morered.models.weights import WeightsHeader
from morered.settings.networks import ModelConfig
from morered.study import Study


@pytest.fixture
def study(repository):
    config = yaml.safe_load((repository / "config/tiny.yaml").read_text(encoding="utf-8"))
    config["ablations"] = {"labels": "labels.yaml", "eta": "eta.yaml"}
    return Study(config, repository / "config/ablations")


def test_a_sweep_that_limits_data_has_it_and_no_other(study):
    figures = figures_of(study)
    assert "data_labels" in figures
    assert "data_eta" not in figures
    figure = figures["data_labels"]
    plan = figure.plan(study)
    assert plan["models"]["MLFF@n=100"] == "mlff@n=100"
    assert plan["models"]["MoreRed-JT"] == "jt"
    assert len(figure.input_files(study)["weights"]) == len(plan["models"]) == 8
    assert len(figure.shown_runs(study)) == 8 * len(study.settings.testsets)


def test_amounts_are_those_of_the_headers(tmp_path):
    made = {}
    for kind, method, count in (("morered-jt", "MoreRed-JT", 100), ("mlff", "MLFF", 2000)):
        torch.manual_seed(0)
        network = build(ModelConfig(kind=kind, features=8, interactions=1))
        made[method] = tmp_path / f"{kind}.safetensors"
        weights.save(made[method], network, WeightsHeader(training={"molecules": count}))
    assert drawing.learned_from(made) == {"MoreRed-JT": ("minima", 100), "MLFF": ("labels", 2000)}
    weights.save(made["MLFF"], network, WeightsHeader())
    with pytest.raises(ValueError, match=r"mlff.safetensors: its header does not say"):
        drawing.learned_from(made)


def test_every_entry_stands_at_its_amount(run, assert_figure, tmp_path):
    def runs(name, method, ratios):
        return run("diffused-250", f"{method}{name}", ratios, before=np.array([0.1, 0.2, 0.3, 0.4]))

    entries, learned = {}, {}
    for k, (entry, suffix) in enumerate({"n=100": "@n=100", "all": ""}.items()):
        parts = [runs(suffix, "MoreRed-JT", [0.2, 0.2, 0.4, 1.4 - k]), runs(suffix, "MLFF", [0.9, 1.1, 1.2, 1.3])]
        entries[entry] = pd.concat(parts, ignore_index=True)
        learned |= {f"MoreRed-JT{suffix}": ("minima", 100 + 900 * k), f"MLFF{suffix}": ("labels", 2000 + 18000 * k)}
    table = drawing.make(entries, learned, tmp_path / "data", "How many?")
    assert_figure(tmp_path / "data", style.PAGE)
    found = table.set_index(["entry", "method"])
    assert found.loc[("n=100", "MLFF"), "amount"] == 2000
    assert found.loc[("all", "MLFF"), "amount"] == 20000
    assert found.loc[("all", "MoreRed-JT"), ["learned_from", "amount"]].tolist() == ["minima", 1000]
    assert found.loc[("n=100", "MoreRed-JT"), "failure_percent"] == 25
    assert found.loc[("all", "MoreRed-JT"), "failure_percent"] == 0
    assert found.loc[("all", "MLFF"), "failure_percent"] == 75
