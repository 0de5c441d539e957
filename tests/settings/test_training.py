"""Settings: the paper's defaults, those of the force field, and refusals."""

import dataclasses

import pytest

from morered.settings.training import TrainingConfig, training_config


def test_defaults_are_the_papers() -> None:
    c = TrainingConfig()
    assert (c.batch_size, c.learning_rate, c.ema_decay, c.clip, c.eta) == (128, 1e-4, 0.999, 0.5, 0.9)
    assert (c.plateau.factor, c.plateau.patience, c.plateau.cooldown) == (0.5, 150, 10)
    assert c.early_stopping == 300
    assert c.noise.kind == "isotropic"
    assert training_config({}) == c


def test_defaults_of_the_force_field() -> None:
    c = training_config({}, "mlff")
    assert (c.batch_size, c.learning_rate, c.clip, c.forces_weight) == (10, 1e-3, None, 0.95)
    assert (c.plateau.patience, c.early_stopping) == (15, 30)
    assert training_config({"plateau": {"factor": 0.8}}, "mlff").plateau.patience == 15


def test_settings_survive_the_way_through_a_dictionary() -> None:
    c = training_config(
        {
            "max_time": 150,
            "schedule": "cosine",
            "noise": {"kind": "elastic", "share": 0.5},
            "plateau": {"patience": 3},
            "clip": None,
        }
    )
    assert training_config(c.to_dict()) == c
    assert isinstance(c.max_time, float)
    assert set(c.to_dict()) == {f.name for f in dataclasses.fields(c)}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learningrate": 1}, "training.learningrate: unknown key .did you mean 'learning_rate'"),
        ({"plateau": {"patients": 1}}, "training.plateau.patients: unknown key .did you mean 'patience'"),
        ({"plateau": 3}, "training.plateau: 3 is not a mapping of factor, patience, cooldown"),
        ({"noise": {"kind": "pink"}}, "training.noise.kind: 'pink' is not one of isotropic, elastic"),
        ({"batch_size": 0}, "training.batch_size: 0 is impossible: it must be at least 1"),
        ({"batch_size": 2.5}, "training.batch_size: 2.5 is not a whole number"),
        ({"batch_size": True}, "training.batch_size: True is not a whole number"),
        ({"batch_size": None}, "training.batch_size: None is not a whole number"),
        ({"learning_rate": "1e-4"}, "training.learning_rate: '1e-4' is not a number .YAML reads 1e-4 as text"),
        ({"schedule": "step"}, "training.schedule: 'step' is not one of plateau, cosine, constant"),
        ({"schedule": "cosine"}, "training.schedule: .* needs an end"),
        ({"early_stopping": None}, "training.early_stopping: .* has no end"),
        ({"eta": 1.5}, "training.eta: 1.5 is impossible: it must be at most 1"),
        ({"ema_decay": 1}, "training.ema_decay: 1 is impossible: it must be less than 1"),
        ({"plateau": {"factor": 1.0}}, "training.plateau.factor: 1.0 is impossible"),
        ({"skip_factor": 1}, "training.skip_factor: 1 is impossible: it must be more than 1"),
        ({"device": "tpu"}, "auto, cpu, gpu"),
        ({"seed": -1}, "training.seed: -1 is impossible: it must be at least 0"),
    ],
)
def test_refusals_name_the_key(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        training_config(settings)
