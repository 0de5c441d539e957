"""Every target would run under every shipped config."""

import pytest
import yaml

from morered.study import Study

CONFIGS = ["config.yaml", "tiny.yaml", "small.yaml", "networks.yaml", "isomers.yaml", "sweeps.yaml", "engine.yaml", "paper.yaml"]


@pytest.mark.parametrize("name", CONFIGS)
def test_every_target_dry_runs_under_every_config(repository, workflow_in, tmp_path, name):
    config = yaml.safe_load((repository / "config" / name).read_text(encoding="utf-8"))
    # the demo's own sweep is of the one network that it trains; the small study takes those that ship
    if name not in ("config.yaml", "small.yaml", "engine.yaml"):
        sweeps = {
            path: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (repository / "config/ablations").glob("*.yaml")
        }
        config["ablations"] = {p.stem: p.name for p, sweep in sweeps.items() if set(sweep["methods"]) <= set(config["methods"])}
    workflow = workflow_in(tmp_path, config)
    targets = [
        "all",
        "figures",
        "tables",
        "data_cards",
        *config.get("figures", []),
        *(f"ablation_{sweep}" for sweep in config.get("ablations", [])),
        *(["data_labels"] if "labels" in config.get("ablations", []) else []),
    ]
    jobs = workflow.planned(*targets)
    assert {"relax_structures", "evaluate_relaxation"} <= set(jobs)
    study = Study(config, repository / "config/ablations")
    trained = [name for name, model in study.settings.models.items() if model.source == "train"]
    assert ("train_model" in jobs) == bool(trained)
    assert jobs.get("train_model", 0) >= sum("@" in name for name in trained)
