import copy

import pytest
import yaml

from morered.study import ConfigError, Study, load_schema
from morered.study.ablations import merge


@pytest.fixture(scope="module")
def schema(repository):
    return load_schema(repository / "config/schema/config.schema.yaml")


@pytest.fixture
def config():
    return {
        "study": "mine",
        "datasets": {"qm7": {"kind": "qm7-pbe0"}},
        "models": {
            "jt": {"kind": "morered-jt", "dataset": "qm7", "features": 64},
            "noise": {"kind": "noise", "dataset": "qm7"},
            "time": {"kind": "time", "dataset": "qm7"},
        },
        "methods": {
            "MoreRed-JT": {"relaxer": "morered", "noise": "jt", "time": "jt"},
            "MoreRed-AS": {"relaxer": "morered", "noise": "noise", "time": "time"},
        },
        "testsets": {"modes": {"kind": "normal-modes", "dataset": "qm7"}},
        "figures": ["fig4"],
    }


def sweep(entries, methods=("MoreRed-JT",)):
    return {"methods": list(methods), "entries": entries}


def test_an_ablation_adds_names_and_leaves_the_base_alone(config, schema):
    config["ablations"] = {"eta": sweep({"eta=0.5": {"models": {"jt": {"training": {"eta": 0.5}}}}, "eta=0.9": {}})}
    study = Study(config, schema)
    assert study.ablations["eta"].entries == {"eta=0.5": ("MoreRed-JT@eta=0.5",), "eta=0.9": ("MoreRed-JT",)}
    assert study.models_of("MoreRed-JT@eta=0.5") == {"noise": "jt@eta=0.5", "time": "jt@eta=0.5"}
    assert study.model("jt@eta=0.5")["training"]["eta"] == 0.5
    assert study.model("jt@eta=0.5")["features"] == 64
    assert study.model("jt")["training"]["eta"] == 0.9
    assert study.base_methods == ["MoreRed-JT", "MoreRed-AS"]


def test_a_changed_dataset_reaches_models_and_methods_that_use_it(config, schema):
    config["ablations"] = {"size": sweep({"s=1": {"datasets": {"qm7": {"split": {"seed": 1}}}}}, ["MoreRed-JT", "MoreRed-AS"])}
    study = Study(config, schema)
    assert study.models_of("MoreRed-AS@s=1") == {"noise": "noise@s=1", "time": "time@s=1"}
    assert study.model("jt@s=1")["dataset"] == "qm7@s=1"
    assert study.data_dir("qm7@s=1") != study.data_dir("qm7")


def test_a_change_of_one_network_leaves_the_other_shared(config, schema):
    config["ablations"] = {"f": sweep({"F=32": {"models": {"time": {"features": 32}}}}, ["MoreRed-AS"])}
    assert Study(config, schema).models_of("MoreRed-AS@F=32") == {"noise": "noise", "time": "time@F=32"}


@pytest.mark.parametrize(
    ("ablation", "words"),
    [
        (sweep({"a": {"models": {"jtt": {}}}}), ["ablations.x.entries.a.models.jtt", "no such name", "jt"]),
        (sweep({"a": {}}, ["JT"]), ["ablations.x.methods", "'JT'", "MoreRed-JT"]),
        (sweep({"a": {"models": {"jt": {"training": {"etaa": 1}}}}}), ["models.jt@a.training.etaa", "did you mean 'eta'"]),
        (sweep({"a": {"modles": {}}}), ["ablations.x.entries.a.modles", "unknown key"]),
        (
            sweep({"a": {"models": {"given": {"training": {"eta": 0.5}}}}}, ["MoreRed-given"]),
            ["ablations.x.entries.a.models.given", "not trained here (source: shipped)"],
        ),
        ("missing.yaml", ["ablations.x", "missing.yaml", "eta.yaml"]),
    ],
)
def test_faults_of_an_ablation_are_refused_when_the_config_is_read(config, schema, repository, ablation, words):
    config["models"]["given"] = {"kind": "morered-jt", "dataset": "qm7", "source": "shipped"}
    config["methods"]["MoreRed-given"] = {"relaxer": "morered", "noise": "given", "time": "given"}
    config["ablations"] = {"x": ablation}
    with pytest.raises(ConfigError) as refused:
        Study(config, schema, repository / "config/ablations")
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"models": {"jt": {"dataset": "qm77"}}}, ["models.jt.dataset", "'qm77'", "qm7"]),
        ({"methods": {"MoreRed-JT": {"noise": "time"}}}, ["methods.MoreRed-JT.noise", "kind time", "noise or morered-jt"]),
        ({"methods": {"X": {"relaxer": "morered", "noise": "jt"}}}, ["methods.X", "adaptive needs the key 'time'"]),
        ({"methods": {"MoreRed-JT": {"testsets": ["mode"]}}}, ["methods.MoreRed-JT.testsets", "'mode'"]),
        ({"testsets": {"modes": {"kind": "published"}}}, ["testsets.modes.kind", "qm7x only"]),
        ({"figures": ["fig3b"]}, ["trajectories.fixed", "MoreRed-ITP"]),
    ],
)
def test_names_that_point_nowhere_are_refused(config, schema, change, words):
    changed = merge(config, change)
    if "testsets" in change:
        changed["testsets"]["modes"] = {"kind": "published", "dataset": "qm7"}
    with pytest.raises(ConfigError) as refused:
        Study(changed, schema)
    for word in words:
        assert word in str(refused.value)


def test_a_study_is_of_data_or_of_libraries(schema):
    for nothing in ({"study": "mine"}, {"study": "mine", "datasets": {}, "figures": []}):
        with pytest.raises(ConfigError, match="needs the key 'datasets' or 'libraries'"):
            Study(nothing, schema)
    study = Study({"study": "mine", "libraries": {"own": {"file": "own.smi"}}, "figures": []}, schema)
    assert study.config["libraries"]["own"]["method"] == "fast"


def test_a_new_default_changes_no_settings_that_rules_see(config, schema):
    newer = copy.deepcopy(schema)
    newer["$defs"]["training"]["properties"]["brand_new"] = {"description": "New.", "type": "integer", "default": 3}
    newer["$defs"]["method"]["properties"]["brand_new"] = {"description": "New.", "type": "integer", "default": 3}
    old, new = Study(config, schema), Study(config, newer)
    assert old.network_settings("jt") == new.network_settings("jt")
    assert old.method_settings("MoreRed-JT") == new.method_settings("MoreRed-JT")
    assert old.data_dir("qm7") == new.data_dir("qm7")


def test_datasets_with_other_settings_have_other_folders(config, schema):
    other = merge(config, {"datasets": {"qm7": {"split": {"train": 100}}}})
    assert Study(config, schema).data_dir("qm7") != Study(other, schema).data_dir("qm7")


def test_studies_share_nothing_but_data(config, schema):
    other = Study({**config, "study": "other"}, schema)
    mine = Study(config, schema)
    assert mine.data_dir("qm7") == other.data_dir("qm7")
    for path in ("weights", "inputs"):
        assert getattr(mine, path)("x") != getattr(other, path)("x")
    assert mine.relaxed("t", "m") != other.relaxed("t", "m")


def test_every_shipped_config_and_ablation_is_sound(schema, repository):
    folder = repository / "config"
    configs = sorted(folder.glob("*.yaml"))
    assert {path.name for path in configs} >= {"config.yaml", "tiny.yaml", "small.yaml", "engine.yaml", "paper.yaml"}
    ablations = {path.stem: path.name for path in (folder / "ablations").glob("*.yaml")}
    for path in configs:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        # the demo's own sweep is of the one network that it trains; the engine's options are no methods of the paper, and the
        # organic molecules have none yet; a library is no study
        takes_all = path.name not in ("config.yaml", "engine.yaml", "organic.yaml", "library.yaml")
        Study({**config, "ablations": ablations} if takes_all else config, schema, folder / "ablations")


def test_the_schema_and_the_code_know_the_same_keys_and_defaults(schema):
    """The schema is the single source for people; the dataclasses that the code is made of must not drift from it."""
    from dataclasses import asdict, fields

    from morered.diffusion.elastic import ElasticNetwork
    from morered.diffusion.process import NoiseProcess
    from morered.models.config import DiffusionConfig, ModelConfig
    from morered.relaxation.methods import DiffusionMethod
    from morered.relaxation.mixing import Mixing
    from morered.relaxation.stopping import Settled, StepPlateau
    from morered.training.config import Plateau, TrainingConfig

    model, method = schema["$defs"]["model"]["properties"], schema["$defs"]["method"]["properties"]
    training = schema["$defs"]["training"]["properties"]

    def compare(properties, instance, but=()):
        known = {key: value for key, value in asdict(instance).items() if key not in but}
        assert set(properties) == set(known)
        for key, sub in properties.items():
            if "default" in sub and not isinstance(known[key], dict):
                assert sub["default"] == known[key], key

    own = ("kind", "dataset", "source", "training", "train_limit", "augment")
    compare({key: sub for key, sub in model.items() if key not in own}, ModelConfig(), but=("kind", "version"))
    compare(model["diffusion"]["properties"], DiffusionConfig())
    compare(training, TrainingConfig())
    compare(training["plateau"]["properties"], Plateau())
    noise, of_all = training["noise"]["properties"], ("kind", "fixed_norm")
    compare({key: noise[key] for key in of_all}, NoiseProcess(), but=("elastic",))
    compare({key: sub for key, sub in noise.items() if key not in of_all}, ElasticNetwork())
    mine = {"relaxer", "seeds", "testsets", "chunks", "model", "fmax", "optimizer", "initial_hessian", "timeout", "variant"}
    assert set(method) - mine == {f.name for f in fields(DiffusionMethod)} - {"start", "seed"}
    compare(method["mixing"]["properties"], Mixing())
    compare(method["stop"]["properties"]["plateau"]["properties"], StepPlateau())
    compare(method["stop"]["properties"]["settled"]["properties"], Settled())
    for key in ("schedule", "move", "stochastic", "damping", "shrink", "steps", "start_step"):
        assert method[key]["default"] == getattr(DiffusionMethod(noise="x", time="y"), key)


def test_a_training_may_start_from_another_model_and_take_graphs_of_another_dataset(config, schema):
    config["datasets"]["qm9"] = {"kind": "qm9", "source": "qm9pack"}
    config["models"]["first"] = {"kind": "morered-jt", "dataset": "qm7", "features": 64, "augment": {"dataset": "qm9"}}
    config["models"]["jt"]["training"] = {"init": "first"}
    config["models"]["noise"]["training"] = {"init": "morered-noise"}
    study = Study(config, schema)
    assert study.initial_weights("jt") == study.weights("first")
    assert study.initial_weights("noise") is study.initial_weights("first") is None  # shipped; nothing
    assert study.augmentation("jt") is None
    assert study.augmentation("first").startswith(study.data_dir("qm7") + "/augmentation-")
    before = study.augmentation("first")
    config["models"]["first"]["augment"]["max_heavy_atoms"] = 8
    assert Study(config, schema).augmentation("first") != before
    config["models"]["first"]["augment"]["dataset"] = "qm8"
    with pytest.raises(ConfigError, match=r"models\.first\.augment\.dataset: no such name 'qm8' in datasets"):
        Study(config, schema)
