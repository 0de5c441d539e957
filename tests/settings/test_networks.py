import json

import pytest

from morered.settings.networks import DiffusionConfig, ModelConfig


def test_a_config_survives_json():
    config = ModelConfig(kind="time", features=64, diffusion=DiffusionConfig(schedule="cosine", T=500))
    assert ModelConfig.of_header(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"featurs": 3}, "the model config: unknown key 'featurs'; there are: .*features"),
        ({"diffusion": {"t": 3}}, "diffusion: unknown key 't'"),
        ({"kind": "ddpm"}, "kind: 'ddpm' is not one of morered-jt, noise, time, mlff"),
        ({"diffusion": {"schedule": "sigmoid"}}, "diffusion.schedule: 'sigmoid' is not one of polynomial"),
        ({"features": 0}, "features: 0 is impossible: it must be at least 1"),
        ({"radial_basis": 1}, "radial_basis: 1 is impossible: it must be at least 2"),
        ({"version": 2}, "reads versions up to 1"),
        ({"version": "1"}, "has version 1"),
        ({"version": 0}, "version: 0 is impossible"),
        ({"representation": "so3net", "l_max": 0}, "l_max: 0 is impossible: it must be at least 1"),
        ({"features": 200000}, "features: 200000 is impossible: it must be at most 4096"),
        ({"features": "many" * 99}, "features: 'many.*\\.\\.\\. is not a whole number$"),
        ({"features": 64.5}, "features: 64.5 is not a whole number"),
        ({"interactions": True}, "interactions: True is not a whole number"),
        ({"noise_layers": 10**9}, "noise_layers: 1000000000 is impossible: it must be at most 16"),
        ({"l_max": 500}, "l_max: 500 is impossible: it must be at most 6"),
        ({"cutoff": float("nan")}, "cutoff: nan is impossible"),
        ({"cutoff": float("inf")}, "cutoff: inf is impossible: it must be at most 100"),
        ({"kind": ["noise"]}, "kind: .* is not one of"),
        ({"diffusion": []}, "diffusion must be a mapping"),
        ({"diffusion": {"T": 10**12}}, "diffusion.T: 1000000000000 is impossible: it must be at most"),
        ({"diffusion": {"s": "x"}}, "diffusion.s: 'x' is not a number"),
        ([1, 2], "must be a mapping"),
    ],
)
def test_what_is_wrong_is_named(values, message):
    with pytest.raises(ValueError, match=message):
        ModelConfig.of_header(values)


def test_so3net_runs_in_schnetpack():
    assert ModelConfig(representation="so3net").engine == "schnetpack"
