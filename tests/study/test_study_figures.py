"""What each figure shows of a study, and what a study must have for it."""

import copy

import pytest

from morered.study import ConfigError, Study


@pytest.fixture
def config():
    """A study with every kind of method, and figure B3's."""
    network = {"kind": "morered-jt", "dataset": "qm7"}
    return {
        "study": "mine",
        "datasets": {"qm7": {"kind": "qm7-pbe0"}},
        "models": {
            "jt": network,
            "noise": {**network, "kind": "noise"},
            "time": {**network, "kind": "time", "source": "shipped"},
            "mlff": {**network, "kind": "mlff"},
            "so3": {**network, "representation": "so3net"},
        },
        "methods": {
            "ITP": {"relaxer": "morered", "noise": "noise", "time": "time", "schedule": "initial", "seeds": 3},
            "AS": {"relaxer": "morered", "noise": "noise", "time": "time"},
            "JT": {"relaxer": "morered", "noise": "jt", "time": "jt"},
            "MLFF": {"relaxer": "mlff", "model": "mlff"},
            "MMFF94": {"relaxer": "mmff94", "testsets": ["modes"]},
            "JT-SO3": {"relaxer": "morered", "noise": "so3", "time": "so3", "testsets": ["modes"]},
        },
        "testsets": {"modes": {"kind": "normal-modes", "dataset": "qm7"}, "diffused": {"kind": "diffused", "dataset": "qm7"}},
        "trajectories": {"testset": "modes", "adaptive": "JT", "fixed": "ITP"},
        "figures": ["fig1"],
    }


def test_methods_on_so3net_are_those_of_figure_b3_alone(config):
    study = Study(config)
    assert study.plan("figB3") == {"testset": "modes", "methods": ["JT-SO3"]}
    assert study.methods_of("modes") == ["ITP", "AS", "JT", "MLFF", "MMFF94"]
    assert "JT-SO3" not in "".join(study.time_predictors("modes"))
    assert study.plan("figC3")["models"] == ["jt", "noise"]  # neither the shipped one, the force field nor the other's


def test_a_study_on_so3net_alone_shows_its_methods_in_every_figure(config):
    for model in config["models"].values():
        model["representation"] = "so3net"
    study = Study(config)
    assert study.methods_of("modes") == list(config["methods"])
    assert study.plan("figB3")["methods"] == ["ITP", "AS", "JT", "MLFF", "JT-SO3"]


def test_what_the_rules_choose(config):
    study = Study(config)
    assert study.plan("fig1") == {}
    assert study.plan("fig2")["model"] == "noise"
    steps = {"ITP": 1000, "JT": 1000}
    assert study.plan("fig3a") == {"testset": "modes", "panels": {"ITP/AS": "ITP", "JT": "JT"}, "steps": steps}
    assert study.plan("fig5") == {"testset": "modes", "methods": ["AS", "MLFF"], "examples": 8}
    assert study.plan("figA1") == {"model": "time", "images": "photographs"}
    assert study.plan("figB1") == {"testset": "modes", "variants": ["ITP", "AS", "JT"], "scattered": ["ITP", "AS", "JT", "MLFF"]}
    assert study.plan("figB2") == {"testsets": ["modes", "diffused"], "methods": ["ITP", "AS", "JT", "MLFF"]}
    methods = ["ITP", "AS", "JT", "MLFF", "MMFF94"]
    assert study.plan("fig6") == {"testset": "modes", "methods": methods}
    assert study.plan("savings") == {"testsets": ["modes"], "methods_of": {"modes": methods}}
    table = study.plan("tableD")
    assert table["models"] == ["noise", "time", "jt", "mlff"]
    assert table["roles"]["AS"] == {"noise": "noise", "time": "time"}
    assert table["methods"]["ITP"] == {"relaxer": "morered", "schedule": "initial"}


def test_a_figure_that_nothing_declares_is_refused_with_those_that_there_are(config):
    with pytest.raises(ConfigError) as refused:
        Study({**config, "figures": ["fig1", "fig99"]})
    for word in ("figures.1", "'fig99' is not one of", "fig3a", "tableB1"):
        assert word in str(refused.value)
    assert "ablation" not in str(refused.value)  # sweeps are no names of figures


def test_runs_are_of_the_methods_that_relax_a_test_set(config):
    study = Study(config)
    assert study.runs(["ITP", "MMFF94"]) == [("modes", "ITP", 0), ("modes", "MMFF94", 0), ("diffused", "ITP", 0)]
    assert study.runs(["ITP"], ["diffused"], every_seed=True) == [("diffused", "ITP", seed) for seed in range(3)]
    assert len(study.runs()) == 5 + 4
    assert study.minima("modes") == f"{study.data_dir('qm7')}/minima.h5"


def test_joint_networks_stand_in_for_single_ones(config):
    config["methods"] = {"JT": config["methods"]["JT"]}
    config["models"] = {"jt": config["models"]["jt"]}
    study = Study(config)
    assert study.plan("fig2")["model"] == study.plan("figA1")["model"] == "jt"


LACKING = [
    ("fig2", ("models", {}), ["fig2", "models", "noise"]),
    ("fig2", ("process", {"steps": [0, 500, 1001]}), ["process.steps", "at most 1000", "noise"]),
    ("fig2", ("process", {"steps": [0, 500, 100]}), ["process.steps", "do not ascend"]),
    ("fig3a", ("methods", ["MMFF94"]), ["fig3a", "time", "modes"]),
    (
        "fig3b",
        ("trajectories", {"testset": "mode", "adaptive": "JJ", "fixed": "MMFF94"}),
        ["trajectories.testset", "'JJ'", "MMFF94 has no"],
    ),
    ("fig4", ("testsets", {}), ["fig4", "testsets"]),
    ("fig4", ("methods", []), ["fig4", "methods"]),
    ("fig5", ("methods", ["JT"]), ["fig5", "examples.methods"]),
    ("fig5", ("examples", {"methods": ["JT", "MLF"]}), ["examples.methods.1", "'MLF'"]),
    ("fig6", ("testsets", {}), ["fig6", "testsets"]),
    ("fig6", ("energies", {"methods": ["JT", "MLF"]}), ["energies.methods.1", "'MLF'"]),
    ("savings", ("savings", {"methods": ["MLF"]}), ["savings.methods.0", "'MLF'"]),
    ("savings", ("savings", {"testsets": ["nowhere"]}), ["savings.testsets", "'nowhere'"]),
    ("figB2", ("methods", ["MMFF94"]), ["figB2", "every test set"]),
    ("figB3", ("methods", ["JT"]), ["figB3", "representation is so3net"]),
    ("figC3", ("methods", ["MMFF94"]), ["figC3", "source: train"]),
]  # fmt: skip


@pytest.mark.parametrize(("figure", "change", "words"), LACKING)
def test_a_figure_that_cannot_be_made_is_refused_with_the_key(config, figure, change, words):
    key, value = change
    changed = copy.deepcopy(config)
    if key == "methods":
        value = {name: config["methods"][name] for name in value}
    if key == "models":
        changed["methods"] = {"MMFF94": {"relaxer": "mmff94"}}
    if key == "testsets":
        for method in changed["methods"].values():
            method.pop("testsets", None)
    changed[key] = value
    study = Study(changed)  # a figure that is not asked for is no fault
    with pytest.raises(ConfigError) as late:
        study.plan(figure)
    with pytest.raises(ConfigError) as early:
        Study({**changed, "figures": [figure]})
    for word in words:
        assert word in str(late.value)
        assert word in str(early.value)


def test_a_sample_may_be_of_another_test_set_than_the_first(config):
    last = list(config["testsets"])[-1]
    study = Study({**config, "energies": {"testset": last}})
    assert study.plan("fig6")["testset"] == last
    assert last not in study.plan("savings")["testsets"]
    assert study.plan("fig6")["methods"] == study.methods_of(last)


def test_savings_may_be_of_several_test_sets_each_with_the_methods_that_relax_it(config):
    first, *_, last = config["testsets"]
    config["methods"]["MMFF94"]["testsets"] = [last]
    study = Study({**config, "savings": {"testsets": [first, last], "methods": ["JT", "MMFF94"], "molecules": 5}})
    assert study.plan("savings") == {"testsets": [first, last], "methods_of": {first: ["JT"], last: ["JT", "MMFF94"]}}
    assert study.sources_at_most("savings") == 2 * 5 * (2 + 2)


def test_methods_that_do_not_relax_the_first_test_set_are_refused(config):
    config["testsets"] = dict(reversed(config["testsets"].items()))
    for figure, key, methods in (
        ("fig6", "energies", ["MMFF94"]),
        ("savings", "savings", ["MMFF94"]),
        ("fig5", "examples", ["JT", "MMFF94"]),
    ):
        study = Study({**config, key: {"methods": methods}})
        with pytest.raises(ConfigError, match=rf"{key}\.methods: MMFF94 does not relax diffused"):
            study.plan(figure)


def test_a_sample_and_its_level_say_only_what_is_not_at_its_default(config):
    study = Study({**config, "seed": 5})
    assert study.sampling("energies") == {"molecules": 100, "max_atoms": None, "seed": 5}
    assert study.level("energies") == {}
    assert study.level("savings") == {"basis": "def2-svp", "grid": 2, "coarse_grid": 2}
    changed = {"max_atoms": 9, "level": {"basis": "def2-svp", "grid": 3}}
    study = Study({**config, "energies": changed})
    assert study.sampling("energies") == {"molecules": 100, "max_atoms": 9, "seed": 0}
    assert study.level("energies") == {"basis": "def2-svp"}
