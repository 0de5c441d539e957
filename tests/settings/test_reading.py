import copy
import subprocess
import sys

import pytest

from morered.settings.networks import ModelConfig
from morered.settings.reading import ConfigError, read
from morered.settings.relaxation import DiffusionMethod, Settled
from morered.settings.study import JointModel, StudySettings


def check(config):
    return read(StudySettings, config).to_dict()


@pytest.fixture
def config():
    return {
        "study": "mine",
        "datasets": {"qm7": {"kind": "qm7-pbe0"}},
        "models": {"jt": {"kind": "morered-jt", "dataset": "qm7", "training": {}}},
        "methods": {"JT": {"relaxer": "morered", "noise": "jt", "time": "jt"}, "MMFF94": {"relaxer": "mmff94"}},
        "testsets": {"modes": {"kind": "normal-modes", "dataset": "qm7"}},
    }


def test_defaults_are_filled_in_at_every_depth_and_the_input_is_left_alone(config):
    before = copy.deepcopy(config)
    filled = check(config)
    assert filled["datasets"]["qm7"]["split"] == {"train": 4500, "validation": 1250, "seed": 0}
    assert filled["models"]["jt"]["diffusion"] == {"schedule": "polynomial", "T": 1000, "s": 1e-5, "time_scale": "linear"}
    assert filled["models"]["jt"]["features"] == 256
    assert filled["models"]["jt"]["training"]["eta"] == 0.9
    assert config == before


def test_defaults_of_other_kinds_are_not_filled_in(config):
    filled = check(config)
    assert "fmax" not in filled["methods"]["JT"]
    assert "displacements" in filled["testsets"]["modes"]
    assert "steps" in filled["methods"]["MMFF94"]
    assert "energy_layers" not in filled["models"]["jt"]


# (path to the key, bad value, what the message must say)
FAULTS = [
    (("modles",), {}, ["modles", "unknown key", "did you mean 'models'"]),
    (("worth",), {}, ["worth: unknown key: it is called 'savings' now"]),
    (("models", "jt", "featurs"), 3, ["models.jt.featurs", "did you mean 'features'"]),
    (("models", "jt", "features"), 0, ["models.jt.features", "0 is impossible", "at least 4"]),
    (("models", "jt", "features"), "64", ["models.jt.features", "'64' is not a whole number", "quotes"]),
    (("models", "jt", "features"), True, ["models.jt.features", "True is not a whole number"]),
    (("models", "jt", "features"), 6.5, ["models.jt.features", "6.5 is not a whole number"]),
    (("models", "jt", "kind"), "jt", ["models.jt.kind", "morered-jt, noise, time, mlff"]),
    (("models", "jt", "energy_layers"), 2, ["models.jt.energy_layers", "goes with mlff only, not with morered-jt"]),
    (("models", "jt", "training"), 3, ["models.jt.training", "3 is not a mapping of batch_size, optimizer, weight_decay"]),
    (("models", "jt", "training", "learning_rate"), "1e-4", ["models.jt.training.learning_rate", "write 1.0e-4"]),
    (("models", "jt", "training", "eta"), 1.5, ["models.jt.training.eta", "at most 1"]),
    (("models", "jt", "training", "schedule"), "cosine", ["models.jt.training.schedule: ", "needs an end"]),
    (("models", "jt", "training", "plateau"), {"patients": 1}, ["models.jt.training.plateau.patients", "'patience'"]),
    (("methods", "JT", "schedule"), "adaptve", ["methods.JT.schedule", "adaptive, initial, fixed"]),
    (("methods", "JT", "steps"), -1, ["methods.JT.steps", "at least 1"]),
    (("methods", "JT", "fmax"), 1e-3, ["methods.JT.fmax", "not with morered"]),
    (("methods", "JT", "stop"), {"settled": {"windw": 1}}, ["methods.JT.stop.settled.windw", "did you mean 'window'"]),
    (("methods", "JT", "restarts"), {}, ["methods.JT.restarts: they go with the moves jump and accelerated"]),
    (("methods", "JT", "testsets"), "modes", ["methods.JT.testsets: "]),
    (("methods", "MMFF94", "noise"), "jt", ["methods.MMFF94.noise", "goes with morered only"]),
    (("methods", "X"), {"relaxer": "morered", "time": "jt"}, ["methods.X", "needs the key 'noise'", "predicts the noise"]),
    (("methods", "X"), {"noise": "jt"}, ["methods.X: needs the key 'relaxer', one of morered, mlff"]),
    (("methods", "X"), None, ["methods.X: "]),
    (("methods", "a b"), {"relaxer": "mmff94"}, ["methods.a b: 'a b' is no name"]),
    (
        ("models", "jt", "training", "noise"),
        {"share": 0.5},
        ["models.jt.training.noise.share", "elastic only, not with isotropic"],
    ),
    (("models", "jt", "training", "noise"), {"kind": "pink"}, ["models.jt.training.noise.kind", "isotropic, elastic"]),
    (("models", "jt", "training", "noise"), {"kind": "elastic", "springs": [1]}, ["models.jt.training.noise.springs", "4"]),
    (
        ("models", "jt", "training", "noise"),
        {"kind": "elastic", "springs": [1, 1, 1, -1]},
        ["models.jt.training.noise.springs", "at least 0"],
    ),
    (
        ("models", "jt", "training", "noise"),
        {"kind": "elastic", "forces": "valence", "floor": 0.01},
        ["models.jt.training.noise.forces: springs and floor belong to the forces 'springs'"],
    ),
    (("testsets", "modes", "calculator"), "gfn3", ["testsets.modes.calculator", "gfn2"]),
    (("testsets", "modes", "displacements"), 2, ["testsets.modes.displacements", "at least 3"]),
    (("testsets", "modes", "steps"), 2, ["testsets.modes.steps", "goes with diffused only, not with normal-modes"]),
    (("datasets", "x"), {"kind": "custom"}, ["datasets.x: needs the key 'file'", "Minima as extxyz"]),
    (("study",), "../elsewhere", ["study", "is no name"]),
    (("study",), 7, ["study", "7 is not text"]),
    (("seed",), -1, ["seed", "at least 0"]),
    (("process",), {"steps": [1]}, ["process.steps", "at least 2 entries"]),
    (("energies",), {"level": {"grid": 0}}, ["energies.level.coarse_grid: 1 must not be finer than grid (0)"]),
    (("ablations",), {"x": {"methods": ["JT"]}}, ["ablations.x: needs the key 'entries'"]),
    (("ablations",), {"x": {"methods": ["JT"], "entries": {"a": {"model": {}}}}}, ["ablations.x.entries.a.model", "'models'"]),
]


@pytest.mark.parametrize(
    ("path", "value", "words"), FAULTS, ids=[".".join(path) + "=" + str(value)[:20] for path, value, _ in FAULTS]
)
def test_faults_are_refused_with_the_path_of_the_key_and_what_is_allowed(config, path, value, words):
    entry = config
    for key in path[:-1]:
        entry = entry[key]
    entry[path[-1]] = value
    with pytest.raises(ConfigError) as refused:
        check(config)
    for word in words:
        assert word in str(refused.value)


def test_all_faults_are_told_at_once(config):
    config["models"]["jt"]["features"] = 0
    config["methods"]["MMFF94"]["relaxer"] = "mmff95"
    with pytest.raises(ConfigError) as refused:
        check(config)
    assert len(refused.value.problems) == 2


def test_a_missing_key_is_named_with_its_meaning(config):
    del config["models"]["jt"]["dataset"]
    with pytest.raises(ConfigError, match=r"models\.jt: needs the key 'dataset': The dataset it is trained on"):
        check(config)


def test_what_is_at_its_default_is_not_stated():
    model = read(
        JointModel,
        {
            "kind": "morered-jt",
            "dataset": "qm7",
            "features": 256,
            "diffusion": {"T": 1000},
            "training": {"eta": 0.9, "batch_size": 7, "noise": {"kind": "elastic", "share": 0.6}},
        },
    )
    training = {"batch_size": 7, "noise": {"kind": "elastic"}}
    assert model.stated() == {"kind": "morered-jt", "dataset": "qm7", "training": training}


def test_settings_are_read_back_as_they_were_written(config):
    config["models"]["jt"]["training"] = {"noise": {"kind": "elastic", "forces": "valence"}, "max_steps": 3}
    study = read(StudySettings, config)
    assert read(StudySettings, study.to_dict()) == study
    assert read(StudySettings, study.stated()) == study


def test_what_is_built_in_python_is_taken_as_it_is():
    method = read(DiffusionMethod, {"noise": object, "time": object, "stop": {"settled": Settled(window=3)}})
    assert method.noise is object
    assert method.stop.settled == Settled(window=3)


def test_what_is_built_in_python_has_the_same_limits():
    for wrong, message in (
        ({"window": 0}, "window: 0 is impossible: it must be at least 1"),
        ({"window": 1.5}, "window: 1.5 is not a whole number"),
        ({"window": True}, "window: True is not a whole number"),
        ({"threshold": "1"}, "threshold: '1' is not a number"),
    ):
        with pytest.raises(ValueError, match=message):
            Settled(**wrong)
    with pytest.raises(ValueError, match="kind: 'x' is not one of morered-jt, noise, time, mlff"):
        ModelConfig(kind="x")  # type: ignore[arg-type]


def test_reading_a_config_imports_no_torch_and_settings_no_pydantic(repository):
    script = (
        "import sys, yaml\n"
        "from morered.settings import networks, presets, relaxation, training\n"
        "assert 'pydantic' not in sys.modules\n"
        "from morered.study import Study\n"
        "Study(yaml.safe_load(open('config/small.yaml')))\n"
        "from morered.relaxation.methods import from_config\n"
        "from_config({'preset': 'jt', 'steps': 3})\n"
        "assert 'pydantic' in sys.modules\n"
        "print(sorted({'torch', 'rdkit', 'lightning', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=repository, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
