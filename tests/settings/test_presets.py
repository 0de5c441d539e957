"""Presets: what a config that names one is, and what the command takes."""

from dataclasses import replace

import pytest

from morered.relaxation import from_config
from morered.relaxation.methods import preset
from morered.settings.presets import PRESETS, started
from morered.settings.reading import ConfigError
from morered.settings.relaxation import DiffusionMethod
from morered.study import Study

CONFIG = {
    "study": "mine",
    "datasets": {"qm7": {"kind": "qm7-pbe0"}},
    "models": {"jt": {"kind": "morered-jt", "dataset": "qm7"}, "mlff": {"kind": "mlff", "dataset": "qm7"}},
    "figures": [],
}


def study(**methods):
    return Study({**CONFIG, "methods": methods})


@pytest.mark.parametrize("name", ["fast", "balanced", "accurate", "jt", "itp"])
def test_a_study_relaxes_as_the_command_does(name):
    settings = study(mine={"preset": name, "noise": "jt", "time": "jt"}).method_settings("mine")
    models = {"noise": "x", "time": "x"}
    assert from_config({**settings, **models}) == from_config({"preset": name, **models}) == preset(name, "x")


def test_presets_without_models_of_the_study_are_those_of_the_command():
    for name in ("aimnet2", "so3lr", "gfn2", "gfn1"):
        settings = study(mine={"preset": name}).method_settings("mine")
        assert settings == {"relaxer": name, **PRESETS[name].stated()}
    settings = study(mine={"preset": "mlff", "model": "mlff", "fmax": 0.01}).method_settings("mine")
    assert settings == {"relaxer": "mlff", "fmax": 0.01}


def test_single_keys_change_and_the_others_stay():
    changed = {"preset": "fast", "noise": "jt", "time": "jt", "steps": 7, "restarts": {"tries": 3}, "clean_below": None}
    method = study(mine=changed).settings.methods["mine"]
    fast = PRESETS["fast"]
    assert isinstance(fast, DiffusionMethod)
    assert (method.steps, method.clean_below, method.preset) == (7, None, "fast")
    assert method.restarts == replace(fast.restarts, tries=3)
    assert study(mine={**changed, "restarts": None}).settings.methods["mine"].restarts is None


def test_what_is_wrong_beside_a_preset_is_named():
    with pytest.raises(ConfigError, match=r"methods\.mine\.preset: 'fsat' is not one of fast, .*did you mean 'fast'"):
        study(mine={"preset": "fsat"})
    with pytest.raises(ConfigError, match=r"methods\.mine\.preset: \[1\] is not one of fast"):
        study(mine={"preset": [1]})
    with pytest.raises(ConfigError, match=r"methods\.mine: needs the key 'noise'"):
        study(mine={"preset": "fast"})
    with pytest.raises(ConfigError, match=r"methods\.mine\.fmax: goes with .* only, not with morered"):
        study(mine={"preset": "fast", "noise": "jt", "time": "jt", "fmax": 1.0})


def test_a_mapping_of_the_library_starts_from_a_preset_with_the_weights_that_ship():
    assert from_config({"preset": "fast"}) == PRESETS["fast"]
    assert started({"preset": "as", "steps": 3}, "x") == {
        "relaxer": "morered",
        "noise": "morered-noise",
        "time": "morered-time",
        "steps": 3,
    }
