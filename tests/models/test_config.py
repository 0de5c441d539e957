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
        ({"features": 200000}, "features must be at most 4096, not 200000"),
        ({"features": "many" * 99}, "features must be a whole number, not 'many.*\\.\\.\\.$"),
        ({"features": 64.5}, "features must be a whole number"),
        ({"interactions": True}, "interactions must be a whole number"),
        ({"noise_layers": 10**9}, "noise_layers must be at most 16"),
        ({"l_max": 500}, "l_max must be a whole number of at most 6"),
        ({"cutoff": float("nan")}, "cutoff must be positive"),
        ({"cutoff": float("inf")}, "cutoff must be at most 100"),
        ({"kind": ["noise"]}, "kind must be one of"),
        ({"diffusion": []}, "diffusion must be a mapping"),
        ({"diffusion": {"T": 10**12}}, "diffusion.T must be at most"),
        ({"diffusion": {"s": "x"}}, "diffusion.s must be a number"),
        ([1, 2], "must be a mapping"),
    ],
)
def test_what_is_wrong_is_named(values, message):
    with pytest.raises(ValueError, match=message):
        ModelConfig.from_dict(values)


def test_so3net_runs_in_schnetpack():
    assert ModelConfig(representation="so3net").engine == "schnetpack"
