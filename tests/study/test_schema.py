import copy

import pytest

from morered.study import ConfigError, check, load_schema
from morered.study.schema import stated


@pytest.fixture(scope="module")
def schema(repository):
    return load_schema(repository / "config/schema/config.schema.yaml")


@pytest.fixture
def config():
    return {
        "study": "mine",
        "datasets": {"qm7": {"kind": "qm7-pbe0"}},
        "models": {"jt": {"kind": "morered-jt", "dataset": "qm7", "training": {}}},
        "methods": {"JT": {"relaxer": "morered", "noise": "jt", "time": "jt"}, "MMFF94": {"relaxer": "mmff94"}},
        "testsets": {"modes": {"kind": "normal-modes", "dataset": "qm7"}},
    }


def test_defaults_are_filled_in_at_every_depth_and_the_input_is_left_alone(config, schema):
    before = copy.deepcopy(config)
    filled = check(config, schema)
    assert filled["datasets"]["qm7"]["split"] == {"train": 4500, "validation": 1250, "seed": 0}
    assert filled["models"]["jt"]["diffusion"] == {"schedule": "polynomial", "T": 1000, "s": 1e-5, "time_scale": "linear"}
    assert filled["models"]["jt"]["features"] == 256
    assert filled["models"]["jt"]["training"]["eta"] == 0.9
    assert config == before


def test_defaults_of_other_kinds_are_not_filled_in(config, schema):
    filled = check(config, schema)
    assert "fmax" not in filled["methods"]["JT"]
    assert "temperature" in filled["testsets"]["modes"]
    assert "steps" in filled["methods"]["MMFF94"]


# (path to the key, bad value, what the message must say)
FAULTS = [
    (("modles",), {}, ["modles", "unknown key", "did you mean 'models'"]),
    (("models", "jt", "featurs"), 3, ["models.jt.featurs", "did you mean 'features'"]),
    (("models", "jt", "features"), 0, ["models.jt.features", "0 is impossible", "at least 4"]),
    (("models", "jt", "features"), "64", ["models.jt.features", "not of type integer", "quotes"]),
    (("models", "jt", "kind"), "jt", ["models.jt.kind", "morered-jt, noise, time, mlff"]),
    (("models", "jt", "training", "learning_rate"), "1e-4", ["models.jt.training.learning_rate", "write 1.0e-4"]),
    (("models", "jt", "training", "eta"), 1.5, ["models.jt.training.eta", "at most 1"]),
    (("methods", "JT", "schedule"), "adaptve", ["methods.JT.schedule", "adaptive, initial, fixed"]),
    (("methods", "JT", "steps"), -1, ["methods.JT.steps", "at least 1"]),
    (("methods", "JT", "fmax"), 1e-3, ["methods.JT.fmax", "not with morered"]),
    (("methods", "MMFF94", "noise"), "jt", ["methods.MMFF94.noise", "goes with morered only"]),
    (("methods", "X"), {"relaxer": "morered", "time": "jt"}, ["methods.X", "needs the key 'noise'"]),
    (
        ("models", "jt", "training", "noise"),
        {"share": 0.5},
        ["models.jt.training.noise.share", "elastic only, not with isotropic"],
    ),
    (("testsets", "modes", "calculator"), "gfn3", ["testsets.modes.calculator", "gfn2"]),
    (("testsets", "modes", "temperature"), 0, ["testsets.modes.temperature", "more than 0"]),
    (("study",), "../elsewhere", ["study", "is no name"]),
    (("study",), 7, ["study", "not of type string"]),
    (("seed",), -1, ["seed", "at least 0"]),
]


@pytest.mark.parametrize(
    ("path", "value", "words"), FAULTS, ids=[".".join(path) + "=" + str(value)[:20] for path, value, _ in FAULTS]
)
def test_faults_are_refused_with_the_path_of_the_key_and_what_is_allowed(config, schema, path, value, words):
    entry = config
    for key in path[:-1]:
        entry = entry[key]
    entry[path[-1]] = value
    with pytest.raises(ConfigError) as refused:
        check(config, schema)
    for word in words:
        assert word in str(refused.value)


def test_all_faults_are_told_at_once(config, schema):
    config["models"]["jt"]["features"] = 0
    config["methods"]["MMFF94"]["relaxer"] = "mmff95"
    with pytest.raises(ConfigError) as refused:
        check(config, schema)
    assert len(refused.value.problems) == 2


def test_a_missing_key_is_named_with_its_meaning(config, schema):
    del config["models"]["jt"]["dataset"]
    with pytest.raises(ConfigError, match=r"models\.jt: needs the key 'dataset': The dataset it is trained on"):
        check(config, schema)


def test_what_is_at_its_default_is_not_stated(schema):
    model = {
        "kind": "morered-jt",
        "dataset": "qm7",
        "features": 256,
        "diffusion": {"T": 1000},
        "training": {"eta": 0.9, "batch_size": 7},
    }
    assert stated(model, schema, "model") == {"kind": "morered-jt", "dataset": "qm7", "training": {"batch_size": 7}}


def test_every_key_is_described(schema):
    def undescribed(entry, path):
        for key, sub in entry.get("properties", {}).items():
            if "description" not in sub:
                yield ".".join((*path, key))
            yield from undescribed(sub, (*path, key))

    missing = list(undescribed(schema, ()))
    for name, definition in schema["$defs"].items():
        missing += undescribed(definition, (name,))
    # entries of an ablation repeat keys that are described where they belong
    assert [path for path in missing if not path.startswith("ablation.entries")] == []
