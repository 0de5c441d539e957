import pytest
import yaml

from morered.settings.base import merged
from morered.study import ConfigError, Study


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


def test_an_ablation_adds_names_and_leaves_the_base_alone(config):
    config["ablations"] = {"eta": sweep({"eta=0.5": {"models": {"jt": {"training": {"eta": 0.5}}}}, "eta=0.9": {}})}
    study = Study(config)
    assert study.ablations["eta"].entries == {"eta=0.5": ("MoreRed-JT@eta=0.5",), "eta=0.9": ("MoreRed-JT",)}
    assert study.models_of("MoreRed-JT@eta=0.5") == {"noise": "jt@eta=0.5", "time": "jt@eta=0.5"}
    assert study.settings.models["jt@eta=0.5"].training.eta == 0.5
    assert study.settings.models["jt@eta=0.5"].features == 64
    assert study.settings.models["jt"].training.eta == 0.9
    assert study.base_methods == ["MoreRed-JT", "MoreRed-AS"]


def test_sweeps_do_not_share_an_entry_that_means_two_things(config):
    half = {"models": {"jt": {"training": {"eta": 0.5}}}}
    config["ablations"] = {"one": sweep({"small": half}), "other": sweep({"small": half})}
    assert Study(config).ablations["other"].entries == {"small": ("MoreRed-JT@small",)}
    config["ablations"]["other"] = sweep({"small": {"models": {"jt": {"features": 32}}}})
    with pytest.raises(ConfigError, match=r"other\.entries\.small: another sweep has an entry 'small' that changes models\.jt"):
        Study(config)


def test_a_changed_dataset_reaches_models_and_methods_that_use_it(config):
    config["ablations"] = {"size": sweep({"s=1": {"datasets": {"qm7": {"split": {"seed": 1}}}}}, ["MoreRed-JT", "MoreRed-AS"])}
    study = Study(config)
    assert study.models_of("MoreRed-AS@s=1") == {"noise": "noise@s=1", "time": "time@s=1"}
    assert study.settings.models["jt@s=1"].dataset == "qm7@s=1"
    assert study.data_dir("qm7@s=1") != study.data_dir("qm7")


def test_a_change_of_one_network_leaves_the_other_shared(config):
    config["ablations"] = {"f": sweep({"F=32": {"models": {"time": {"features": 32}}}}, ["MoreRed-AS"])}
    assert Study(config).models_of("MoreRed-AS@F=32") == {"noise": "noise", "time": "time@F=32"}


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
def test_faults_of_an_ablation_are_refused_when_the_config_is_read(config, repository, ablation, words):
    config["models"]["given"] = {"kind": "morered-jt", "dataset": "qm7", "source": "shipped"}
    config["methods"]["MoreRed-given"] = {"relaxer": "morered", "noise": "given", "time": "given"}
    config["ablations"] = {"x": ablation}
    with pytest.raises(ConfigError) as refused:
        Study(config, repository / "config/ablations")
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
def test_names_that_point_nowhere_are_refused(config, change, words):
    changed = merged(config, change)
    if "testsets" in change:
        changed["testsets"]["modes"] = {"kind": "published", "dataset": "qm7"}
    with pytest.raises(ConfigError) as refused:
        Study(changed)
    for word in words:
        assert word in str(refused.value)


def test_a_study_is_of_data_or_of_libraries():
    for nothing in ({"study": "mine"}, {"study": "mine", "datasets": {}, "figures": []}):
        with pytest.raises(ConfigError, match="needs the key 'datasets' or 'libraries'"):
            Study(nothing)
    study = Study({"study": "mine", "libraries": {"own": {"file": "own.smi"}}, "figures": []})
    assert study.settings.libraries["own"].method == "auto"


def test_what_is_at_its_default_changes_no_settings_that_rules_see(config):
    """So that a key that is new, or is stated though it need not be, reruns nothing."""
    study = Study(config)
    stated = Study({**study.settings.to_dict(), "ablations": {}})
    assert stated.settings.models["jt"].training.eta == 0.9
    for name in config["models"]:
        assert stated.network_settings(name) == study.network_settings(name)
    for name in config["methods"]:
        assert stated.method_settings(name) == study.method_settings(name)
    assert stated.data_dir("qm7") == study.data_dir("qm7")
    assert study.method_settings("MoreRed-JT") == {"relaxer": "morered"}


def test_a_training_has_the_seed_of_the_study_or_its_own(config):
    config["seed"] = 5
    config["models"]["time"]["training"] = {"seed": 0}
    study = Study(config)
    assert {name: study.network_settings(name)["training"]["seed"] for name in config["models"]} == {
        "jt": 5,
        "noise": 5,
        "time": 0,
    }


def test_datasets_with_other_settings_have_other_folders(config):
    other = merged(config, {"datasets": {"qm7": {"split": {"train": 100}}}})
    assert Study(config).data_dir("qm7") != Study(other).data_dir("qm7")


def test_studies_share_nothing_but_data(config):
    other = Study({**config, "study": "other"})
    mine = Study(config)
    assert mine.data_dir("qm7") == other.data_dir("qm7")
    for path in ("weights", "inputs"):
        assert getattr(mine, path)("x") != getattr(other, path)("x")
    assert mine.relaxed("t", "m") != other.relaxed("t", "m")


def test_every_shipped_config_and_ablation_is_sound(repository):
    folder = repository / "config"
    configs = sorted(folder.glob("*.yaml"))
    assert {path.name for path in configs} >= {"config.yaml", "tiny.yaml", "small.yaml", "engine.yaml", "paper.yaml"}
    sweeps = {path: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (folder / "ablations").glob("*.yaml")}
    for path in configs:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        methods = set(config.get("methods", []))
        ablations = {file.stem: file.name for file, sweep in sweeps.items() if set(sweep["methods"]) <= methods}
        # the demo's own sweep is of the one network that it trains; others train none
        takes_all = path.name in ("tiny.yaml", "networks.yaml", "paper.yaml")
        Study({**config, "ablations": ablations} if takes_all else config, folder / "ablations")


def test_a_training_may_start_from_another_model_and_take_graphs_of_another_dataset(config):
    config["datasets"]["qm9"] = {"kind": "qm9", "source": "qm9pack"}
    config["models"]["first"] = {"kind": "morered-jt", "dataset": "qm7", "features": 64, "augment": {"dataset": "qm9"}}
    config["models"]["jt"]["training"] = {"init": "first"}
    config["models"]["noise"]["training"] = {"init": "morered-noise"}
    study = Study(config)
    assert study.initial_weights("jt") == study.weights("first")
    assert study.initial_weights("noise") is study.initial_weights("first") is None  # shipped; nothing
    config["models"]["noise"]["training"] = {"init": "mine/noise.safetensors"}
    config["models"]["jt"] |= {"source": "mine/jt.safetensors"}
    given = Study(config)
    assert given.initial_weights("noise") == "mine/noise.safetensors"
    assert (given.given_weights("jt"), given.given_weights("noise")) == ("mine/jt.safetensors", None)
    assert study.augmentation("jt") is None
    assert study.augmentation("first").startswith(study.data_dir("qm7") + "/augmentation-")
    before = study.augmentation("first")
    assert study.known_to("first") == [study.data_dir("qm7")]
    config["models"]["first"]["augment"]["max_heavy_atoms"] = 8
    assert Study(config).augmentation("first") != before
    config["models"]["first"]["augment"]["dataset"] = "qm8"
    with pytest.raises(ConfigError, match=r"models\.first\.augment\.dataset: no such name 'qm8' in datasets"):
        Study(config)


def test_an_augmentation_leaves_out_the_graphs_of_every_test_set(config):
    config["datasets"]["qm9"] = {"kind": "qm9"}
    config["datasets"]["isomers"] = {"kind": "organic", "molecules": "qm7"}
    config["models"]["first"] = {"kind": "morered-jt", "dataset": "isomers", "augment": {"dataset": "qm9"}}
    study = Study(config)
    assert study.known_to("first") == [study.data_dir("isomers"), study.data_dir("qm7")]
    assert study.augmentation("first") != Study({**config, "testsets": {}, "methods": {}, "figures": []}).augmentation("first")


def test_data_cards_are_of_what_the_study_uses(config):
    study = Study({**config, "datasets": {**config["datasets"], "spare": {"kind": "qm7-pbe0"}}})
    assert "spare" not in study.datasets_used
    assert set(study.datasets_used) >= {model.dataset for model in study.settings.models.values()}
    alone = Study({"study": "cards", "datasets": {"spare": {"kind": "qm7-pbe0"}}, "figures": []})
    assert alone.datasets_used == ["spare"]
