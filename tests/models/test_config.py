import json

import pytest

from morered.models.config import DiffusionConfig, ModelConfig


def test_a_config_survives_json():
    config = ModelConfig(kind="time", features=64, diffusion=DiffusionConfig(schedule="cosine", T=500))
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"featurs": 3}, "unknown key 'featurs' in model config"),
        ({"diffusion": {"t": 3}}, "unknown key 't' in diffusion"),
        ({"kind": "ddpm"}, "kind must be one of morered-jt, noise, time, mlff"),
        ({"diffusion": {"schedule": "sigmoid"}}, "diffusion.schedule must be one of polynomial"),
        ({"features": 0}, "features must be positive"),
        ({"radial_basis": 1}, "radial_basis must be at least 2"),
        ({"version": 2}, "reads versions up to 1"),
        ({"version": "1"}, "has version 1"),
        ({"representation": "so3net", "l_max": 0}, "l_max must be at least 1"),
    ],
)
def test_what_is_wrong_is_named(values, message):
    with pytest.raises(ValueError, match=message):
        ModelConfig.from_dict(values)


def test_so3net_runs_in_schnetpack():
    assert ModelConfig(representation="so3net").engine == "schnetpack"
