"""What would be run: no more than is asked for."""

import pytest
import yaml

from morered.datasets.organic import shipped
from morered.study import Study

pytestmark = pytest.mark.slow


@pytest.fixture
def workflow(workflow_in, tiny, tmp_path):
    return workflow_in(tmp_path, tiny)


def compared(config):
    """The methods of figure 4."""
    return [name for name in config["methods"] if "SO3Net" not in name]


def test_fig4_makes_just_what_figure_4_needs(workflow):
    jobs = workflow.planned("fig4")
    methods, testsets = len(compared(workflow.config)), len(workflow.config["testsets"])
    assert jobs["evaluate_relaxation"] == methods * testsets
    assert not {"fig3a", "fig3b", "record_trajectories", "figC3"} & set(jobs)


def test_several_seeds_are_run_for_the_figure_that_tells_their_spread(workflow):
    methods = {**workflow.config["methods"], "MoreRed-JT": {**workflow.config["methods"]["MoreRed-JT"], "seeds": 3}}
    workflow.write({**workflow.config, "methods": methods})
    one, three = (workflow.planned(figure)["evaluate_relaxation"] for figure in ("fig4", "figB1"))
    testsets = len(workflow.config["testsets"])
    assert one == len(compared(workflow.config)) * testsets
    further = 2 + methods["MoreRed-ITP"]["seeds"] - 1
    assert three == len(compared(workflow.config)) + further  # figure B1 shows one test set


def test_energies_are_split_into_jobs_and_a_dry_run_says_what_they_cost(workflow):
    methods = len(compared(workflow.config))
    workflow.write({**workflow.config, "energies": {"molecules": 50, "chunks": 7}, "savings": {"molecules": 10, "chunks": 4}})
    jobs = workflow.planned("fig6", "savings")
    assert jobs["compute_energies"] == 7
    assert jobs["optimise_geometries"] == 4 + 1  # PBE0 in four jobs, GFN2-xTB in one
    assert jobs["relax_structures"] >= methods
    assert jobs["evaluate_relaxation"] == methods  # of one test set
    printed = workflow.run("--dry-run", "--", "fig6", "savings")
    assert f"at most {50 * (methods + 2)} single points with PBE0/def2-tzvp: about" in printed
    assert "in 7 jobs of" in printed
    assert f"at most {10 * (methods + 2)} optimisations with PBE0/def2-svp: about" in printed


def test_figure_b3_needs_networks_on_so3net_alone(workflow):
    jobs = workflow.planned("figB3")
    assert jobs["train_model"] == jobs["evaluate_relaxation"] == 1


def test_generation_needs_neither_test_sets_nor_what_other_samplers_made(workflow):
    jobs = workflow.planned("figD2")
    assert jobs["generate_structures"] == jobs["examine_samples"] == jobs["train_model"] == 1
    assert not {"relax_structures", "displace_minima", "generate_to_caps"} & set(jobs)
    jobs = workflow.planned("tableB1")
    assert jobs["examine_samples"] == len(workflow.config["generation"]["methods"])
    assert "generate_to_caps" not in jobs


def test_images_are_downloaded_only_where_the_study_takes_them(workflow):
    assert "download_file" not in workflow.planned("figA1")
    workflow.write({**workflow.config, "images": {"source": "cifar10"}})
    assert workflow.planned("figA1")["download_file"] == 1
    workflow.write({**workflow.config, "images": {"source": "none"}})
    assert "predict_image_times" not in workflow.planned("figA1")


def test_a_figure_that_the_study_cannot_make_says_which_key_it_lacks(workflow):
    methods = {name: settings for name, settings in workflow.config["methods"].items() if "SO3Net" not in name}
    workflow.write({**workflow.config, "methods": methods})  # the list of figures still holds it: refused when the config is read
    refused = workflow.run("--dry-run", "--", "fig4", succeed=False)
    assert "figures: figB3 needs methods" in refused
    assert "representation is so3net" in refused
    assert "Traceback" not in refused
    workflow.write({**workflow.config, "figures": ["fig4"]})  # asked for on the command line alone
    assert "figB3 needs methods" in workflow.run("--dry-run", "--", "figB3", succeed=False)
    assert workflow.planned("fig4")


def test_fig3b_alone_trains_only_the_models_of_its_two_methods(workflow):
    workflow.write({**workflow.config, "trajectories": {"adaptive": "MoreRed-JT", "fixed": "MoreRed-JT"}})
    jobs = workflow.planned("fig3b")
    assert jobs["train_model"] == 1
    assert "evaluate_relaxation" not in jobs


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"modles": {}}, ["modles", "did you mean 'models'"]),
        ({"study": "a/b"}, ["study", "is no name"]),
        ({"figures": ["fig44"]}, ["figures.0", "fig44"]),
    ],
)
def test_a_bad_config_is_refused_before_anything_runs_and_without_a_traceback(workflow, change, words):
    workflow.write({**workflow.config, **change})
    printed = workflow.run("--dry-run", "--", "all", succeed=False)
    for word in ["study.yaml", *words]:
        assert word in printed
    assert "Traceback" not in printed


def test_a_named_config_is_not_merged_with_the_demo(workflow):
    workflow.write({**workflow.config, "methods": {"MMFF94": {"relaxer": "mmff94"}}, "figures": ["fig4"]})
    assert "train_model" not in workflow.planned("fig4")


def test_the_demo_is_what_runs_without_a_configfile(repository):
    import subprocess
    import sys

    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "--forceall", "--quiet", "reason", "--", "fig4"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=repository, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "results/demo/figures/fig4" in done.stdout + done.stderr


@pytest.mark.parametrize(("name", "target"), [("organic", "organic_page"), ("organic_choices", "choices")])
def test_the_network_for_organic_molecules_is_one_command(repository, workflow_in, tmp_path, name, target):
    config = yaml.safe_load((repository / f"config/{name}.yaml").read_text(encoding="utf-8"))
    workflow = workflow_in(tmp_path, config)
    jobs = workflow.planned(target)
    study = Study(config, repository / "config/ablations")
    assert jobs["train_model"] == len(study.settings.models)
    used, ships = set(range(study.settings.datasets["organic"].chunks_used)), set(shipped.indices())
    assert jobs["take_shipped"] == jobs["take_shipped_tests"] == 1
    assert {"relax_tests_at_reference", "relax_validation_at_reference"} & set(jobs) == set()
    assert jobs.get("relax_at_reference", 0) == len(used - ships)
    assert "fetch_packages" not in jobs
    if name == "organic_choices":
        assert jobs["end_at_reference"] == len(study.settings.methods) > 10
    if name == "organic":
        runs = sum(len(study.methods_of(testset)) for testset in study.settings.testsets)
        frozen = sum(len(study.methods_of(testset)) for testset in study.settings.testsets if "validation" not in testset)
        assert jobs["end_at_reference"] == frozen + len(study.calibrating("organic")) <= runs
        assert jobs["calibrate_model"] == jobs["model_card"] == jobs["organic_page"] == 1
        assert {"fetch_packages", "pack_minima"} & set(workflow.planned("all")) == set()
        again = workflow.planned("minima")
        assert again["pack_minima"] == 1
        assert again["pack_tests"] == 1
        assert again["relax_tests_at_reference"] == 60
        assert again["relax_at_reference"] == len(used - ships) + len(used)
        assert again["fetch_packages"] == 1
        workflow.write({**config, "datasets": {"organic": {**config["datasets"]["organic"], "chunks_used": 10}}})
        some = workflow.planned(study.weights("organic"))
        assert some["take_shipped"] == 1
        assert "relax_at_reference" not in some


def test_isomers_of_qm7_are_made_from_the_package_alone_and_tested_on_qm7(repository, workflow_in, tmp_path):
    config = yaml.safe_load((repository / "config/isomers.yaml").read_text(encoding="utf-8"))
    workflow = workflow_in(tmp_path, config)
    minima = workflow.planned("minima")
    chunks = config["datasets"]["isomers"]["chunks"]
    assert minima["relax_at_reference"] == chunks
    assert {"fetch_packages", "relax_tests_at_reference", "relax_validation_at_reference", "pack_tests"} & set(minima) == set()
    jobs = workflow.planned("all")
    assert jobs["train_model"] == len(config["models"])
    assert jobs["relax_at_reference"] == chunks


def test_isomers_of_qm7_need_no_packages(repository, workflow_in, tmp_path):
    config = yaml.safe_load((repository / "config/tiny.yaml").read_text(encoding="utf-8"))
    config["datasets"]["isomers"] = {"kind": "organic", "molecules": "qm7", "chunks": 4}
    workflow, study = workflow_in(tmp_path, config), Study(config, repository / "config/ablations")
    jobs = workflow.planned(f"{study.data_dir('isomers')}/minima.h5")
    assert jobs["choose_molecules"] == jobs["prepare_organic"] == 1
    assert jobs["relax_at_reference"] == 4
    assert "fetch_packages" not in jobs
