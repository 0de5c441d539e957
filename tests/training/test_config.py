"""Settings: the paper's defaults, those of the force field, and refusals."""

import dataclasses

import pytest

from morered.training.config import TrainingConfig


def test_defaults_are_the_papers() -> None:
    c = TrainingConfig()
    assert (c.batch_size, c.learning_rate, c.weight_decay, c.ema_decay, c.clip, c.eta) == (128, 1e-4, 0.0, 0.999, 0.5, 0.9)
    assert (c.plateau.factor, c.plateau.patience, c.plateau.cooldown, c.plateau.threshold) == (0.5, 150, 10, 0.0)
    assert c.early_stopping == 300
    assert c.noise.kind == "isotropic"
    assert TrainingConfig.from_dict({}) == c


def test_defaults_of_the_force_field() -> None:
    c = TrainingConfig.from_dict({}, "mlff")
    assert (c.batch_size, c.learning_rate, c.clip, c.forces_weight) == (10, 1e-3, None, 0.95)
    assert (c.plateau.patience, c.early_stopping) == (15, 30)
    assert TrainingConfig.from_dict({"plateau": {"factor": 0.8}}, "mlff").plateau.patience == 15


def test_settings_survive_the_way_through_a_dictionary() -> None:
    c = TrainingConfig.from_dict(
        {
            "max_time": 150,
            "schedule": "cosine",
            "noise": {"kind": "elastic", "share": 0.5},
            "plateau": {"patience": 3},
            "clip": None,
        }
    )
    assert TrainingConfig.from_dict(c.to_dict()) == c
    assert isinstance(c.max_time, float)
    assert set(c.to_dict()) == {f.name for f in dataclasses.fields(c)}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learningrate": 1}, "unknown key 'learningrate' in training; there are: batch_size"),
        ({"plateau": {"patients": 1}}, "unknown key 'patients' in training.plateau"),
        ({"plateau": 3}, "must be a mapping"),
        ({"noise": {"kind": "pink"}}, "isotropic, elastic"),
        ({"batch_size": 0}, "batch_size must be above 0"),
        ({"batch_size": 2.5}, "batch_size must be of type int"),
        ({"batch_size": True}, "batch_size must be of type int"),
        ({"batch_size": None}, "batch_size must be of type int"),
        ({"learning_rate": "1e-4"}, "learning_rate must be of type float"),
        ({"ema_warmup": 1}, "ema_warmup must be of type bool"),
        ({"schedule": "step"}, "schedule must be one of plateau, cosine, constant"),
        ({"schedule": "cosine"}, "needs an end"),
        ({"early_stopping": None}, "has no end"),
        ({"eta": 1.5}, "eta must lie in"),
        ({"ema_decay": 1}, "ema_decay"),
        ({"plateau": {"factor": 1.0}}, "plateau.factor"),
        ({"skip_factor": 1}, "skip_factor"),
        ({"device": "tpu"}, "auto, cpu, gpu"),
        ({"seed": -1}, "seed must not be negative"),
    ],
)
def test_refusals_name_the_key(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingConfig.from_dict(settings)
