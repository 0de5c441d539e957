"""What a study generates: its plans, and what is refused."""

import pytest

from morered.study import ConfigError, Study, generation


@pytest.fixture
def config():
    network = {"kind": "morered-jt", "dataset": "qm7"}
    return {
        "study": "mine",
        "seed": 7,
        "datasets": {"qm7": {"kind": "qm7-pbe0"}, "qm9": {"kind": "qm9"}},
        "models": {
            "jt": network,
            "noise": {**network, "kind": "noise"},
            "large": {**network, "features": 512},
            "mlff": {**network, "kind": "mlff"},
            "other": {**network, "dataset": "qm9"},
        },
        "generation": {
            "methods": {
                "DDPM": {"noise": "noise"},
                "MoreRed": {"noise": "jt", "time": "jt"},
                "MoreRed-large": {"noise": "large", "time": "large", "steps": 500},
                "DDPM-joint": {"noise": "jt"},
            }
        },
        "figures": ["figB4", "figD1", "figD2", "tableB1"],
    }


def test_what_the_rules_choose(config):
    study = Study(config)
    assert study.plan("figD1") == {"sampler": "MoreRed", "grid": 48}
    assert study.plan("figD2")["sampler"] == "DDPM"
    assert study.plan("tableB1") == {"samplers": list(config["generation"]["methods"]), "dataset": "qm7"}
    plan = study.plan("figB4")
    assert (plan["followed"], plan["method"], plan["against"], plan["T"]) == ("MoreRed", "MoreRed-large", "DDPM-joint", 1000)
    assert generation.seed(study) == 7
    assert generation.models_of(study, "MoreRed") == {"noise": "jt", "time": "jt"}
    assert generation.models_of(study, "DDPM") == {"noise": "noise"}


def test_the_config_may_name_what_figure_b4_shows(config):
    config["seed"] = 3
    config["generation"] |= {"trajectories": 20, "molecules": 10}
    config["generation"]["caps"] = {"steps": [5, 50]}
    study = Study(config)
    plan = study.plan("figB4")
    assert (plan["caps"], plan["trajectories"]) == ([5, 50], 10)
    assert generation.seed(study) == 3


def test_compositions_may_be_those_of_another_dataset(config):
    config["generation"]["dataset"] = "qm9"
    study = Study(config)
    assert (generation.dataset(study), generation.learned(study)) == ("qm9", "qm7")
    assert study.plan("tableB1")["dataset"] == "qm9"
    del config["models"]["other"]
    assert Study(config).datasets_used == ["qm7", "qm9"]
    config["generation"]["dataset"] = "qm8"
    with pytest.raises(ConfigError, match=r"generation\.dataset: no such name 'qm8' in datasets"):
        Study(config)


def test_a_study_without_samplers_generates_nothing(config):
    del config["generation"]
    for figure, words in (
        ("figB4", "the key time"),
        ("figD1", "with the key time"),
        ("figD2", "without"),
        ("tableB1", "methods"),
    ):
        with pytest.raises(ConfigError, match=f"{figure} needs .*{words}"):
            Study({**config, "figures": [figure]})
    assert Study({**config, "figures": ["fig1"]}).settings.generation.methods == {}


FAULTS = [
    ({"methods": {"A": {"noise": "nose"}}}, ["generation.methods.A.noise", "'nose'"]),
    ({"methods": {"A": {"noise": "mlff"}}}, ["generation.methods.A.noise", "kind mlff"]),
    ({"methods": {"A": {"noise": "jt", "time": "noise"}}}, ["generation.methods.A.time", "kind noise"]),
    ({"methods": {"A": {"noise": "jt"}, "B": {"noise": "other"}}}, ["one dataset", "other on qm9"]),
    ({"methods": {"A": {"noise": "jt"}}, "caps": {"steps": [10, 5]}}, ["generation.caps.steps", "do not ascend"]),
    ({"methods": {"A": {"noise": "jt"}}, "molecules": 5, "caps": {"molecules": 6}}, ["generation.caps.molecules", "6", "5"]),
    ({"methods": {"A": {"time": "jt"}}}, ["generation.methods.A", "noise"]),
    ({"methods": {"A": {"noise": "jt", "nosie": 1}}}, ["nosie", "did you mean 'noise'"]),
]


@pytest.mark.parametrize(("settings", "words"), FAULTS)
def test_faults_are_refused_with_the_path_of_the_key(config, settings, words):
    with pytest.raises(ConfigError) as refused:
        Study({**config, "generation": settings, "figures": ["fig1"]})
    for word in words:
        assert word in str(refused.value)


def test_the_papers_study_generates_with_the_papers_networks(repository):
    import yaml

    config = yaml.safe_load((repository / "config/paper.yaml").read_text(encoding="utf-8"))
    study = Study(config, repository / "config/ablations")
    assert list(generation.samplers(study)) == ["DDPM", "MoreRed", "DDPM-large", "MoreRed-large"]
    assert generation.dataset(study) == "qm9"
    assert study.settings.generation.molecules == 10_000
    assert (study.plan("figB4")["method"], study.plan("figB4")["against"]) == ("MoreRed-large", "DDPM-large")
    assert {500, 800, 1000, 2000, 50_000} <= set(study.plan("figB4")["caps"])
    for large in ("jt-qm9-large", "noise-qm9-large"):
        model = study.settings.models[large]
        assert (model.features, model.noise_layers, getattr(model, "time_layers", 3)) == (512, 5, 3)
