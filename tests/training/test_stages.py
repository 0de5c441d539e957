"""Stages: settings that hold for a part of a run."""

from pathlib import Path

import numpy as np
import pytest
import torch
from training_support import MODEL, QUICK, ase_molecules, stopped_after

from morered.models import weights
from morered.settings.base import Settings
from morered.settings.training import Stage, training_config
from morered.training import train
from morered.training.rate import LearningRate
from morered.training.stages import Stages

STAGED = {
    **QUICK,
    "max_steps": 12,
    "noise": {"kind": "elastic", "forces": "valence", "share": 0.75, "decades": 2.0},
    "stages": [
        {"until": 0.25, "share": 0.0, "learning_rate": 2e-3},
        {"until": 0.5, "decades": 0.0, "step_power": 2},
    ],
}


def test_settings_hold_for_their_part_of_the_run() -> None:
    stages = Stages(training_config(STAGED))
    batches = torch.tensor([0, 2, 3, 5, 6, 11])
    drawing = stages.of(batches)
    assert drawing.step_power.tolist() == [1, 1, 2, 2, 1, 1]
    assert drawing.share.tolist() == [0, 0, 0.75, 0.75, 0.75, 0.75]
    assert drawing.decades.tolist() == [2, 2, 0, 0, 2, 2]
    rate = LearningRate(training_config(STAGED))
    assert [rate.at(n, 0.0) for n in (0, 2, 3, 11)] == [2e-3, 2e-3, 1e-3, 1e-3]


def test_a_run_without_stages_has_one_value_for_all() -> None:
    drawing = Stages(training_config({**QUICK, "step_power": 3})).of(torch.arange(4))
    assert (drawing.step_power, drawing.share, drawing.decades) == (3, None, None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_steps": None, "max_time": 5.0}, "set max_steps"),
        ({"stages": [{"until": 0.5}, {"until": 0.2}]}, "one after the other"),
        ({"noise": {"kind": "isotropic"}}, "belong to noise of kind 'elastic'"),
        ({"stages": [{"until": 1.0}]}, "less than 1"),
    ],
)
def test_impossible_stages_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        training_config({**STAGED, **changes})


def test_stages_built_in_python_are_the_same() -> None:
    read = training_config(STAGED)
    assert read.stages == (Stage(0.25, learning_rate=2e-3, share=0.0), Stage(0.5, decades=0.0, step_power=2))
    assert isinstance(read, Settings)
    assert training_config(read.to_dict()) == read


def test_a_staged_run_is_the_same_if_stopped_and_depends_on_its_stages(tmp_path: Path) -> None:
    molecules, held_out = ase_molecules(("CH3CH2OH", "C2H4", "H2O", "CO2"), 3), ase_molecules(("CH3SH",), 2, seed=5)

    def run(folder: str, **changes: object) -> dict[str, np.ndarray]:
        path = train(MODEL, training_config({**STAGED, **changes}), molecules, held_out, tmp_path / folder)
        return {name: value.numpy() for name, value in weights.load(path).network.state_dict().items()}

    whole = run("whole")
    with stopped_after(5):
        run("stopped")
    continued, unstaged = run("stopped"), run("unstaged", stages=[])
    assert all(np.array_equal(whole[name], continued[name]) for name in whole)
    assert any(not np.array_equal(whole[name], unstaged[name]) for name in whole)
