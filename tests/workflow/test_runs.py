"""What a run leaves behind, and what a second one does."""

import shutil

import pandas as pd
import pytest
import yaml


@pytest.fixture
def copy(finished, workflow_in, tmp_path):
    """The finished study in a folder of this test's own."""
    shutil.copytree(finished.folder, tmp_path / "copy", symlinks=True)
    return workflow_in(tmp_path / "copy", finished.config)


def test_every_figure_is_there_with_its_numbers(finished):
    for name in finished.config["figures"]:
        table = name.startswith("table")
        for ending in ("html", "csv") if table else ("png", "pdf", "csv"):
            path = finished.results / ("tables" if table else "figures") / f"{name}.{ending}"
            assert path.stat().st_size > 100, path


def test_fig4_counts_every_input_of_every_method(finished):
    table = pd.read_csv(finished.results / "figures/fig4.csv")
    quantities = ["median_ratio", "failure_percent", "median_rmsd"]
    limits = [f"{quantity}_{end}" for quantity in quantities for end in ("low", "high")]
    assert list(table.columns) == ["testset", "method", "n", *quantities, *limits]
    for quantity in quantities:
        assert (table[f"{quantity}_low"] <= table[quantity]).all()
        assert (table[quantity] <= table[f"{quantity}_high"]).all()
    assert set(table.method) == {name for name in finished.config["methods"] if "SO3Net" not in name}
    molecules = finished.config["testsets"]["normal-modes"]["molecules"]
    assert (table[table.testset == "normal-modes"].n == 3 * molecules).all()
    assert (table[table.testset == "diffused-250"].n == molecules).all()


def test_energies_are_of_the_same_sample_for_every_method(finished):
    energies = pd.read_csv(finished.results / "energies/energies.csv")
    methods = [name for name in finished.config["methods"] if "SO3Net" not in name]
    assert list(energies["source"].unique()) == ["reference", "input", *methods]
    assert (energies.groupby("source")["id"].apply(tuple).nunique(), energies["id"].nunique()) == (1, 2)
    reference = energies[energies["source"] == "reference"]
    assert (reference["status"] == "converged").all()
    assert (reference["difference_kcal_mol"] == 0).all()
    inputs = energies[energies["source"] == "input"]
    assert (inputs["difference_kcal_mol"] > 0).all()  # displaced from a minimum
    comparison = pd.read_csv(finished.results / "tables/comparison.csv")
    told = comparison[(comparison["place"] == "Section 3.2, Fig. 6") & comparison["this_run"].notna()]
    assert "GFN2-xTB" in set(told["method"])


def test_optimisations_start_from_the_same_sample(finished):
    runs = pd.read_csv(finished.results / "worth/worth.csv")
    assert set(runs["calculator"]) == {"pbe0", "gfn2"}
    assert set(runs["source"]) == {"reference", "input", "MMFF94"}
    assert (runs["steps"] == finished.config["worth"]["steps"]).all()
    assert (runs.loc[runs["calculator"] == "pbe0", "cycles"] > 2).all()


def test_a_second_run_does_nothing(finished):
    assert "Nothing to be done" in finished.run("all")


def test_editing_one_ablation_entry_reruns_only_it(copy):
    entries = {
        "eta=0.5": {"models": {"jt": {"training": {"eta": 0.5}}}},
        "eta=0.7": {"models": {"jt": {"training": {"eta": 0.7}}}},
    }
    sweep = {"methods": ["MoreRed-JT"], "testsets": ["diffused-250"], "entries": entries}
    copy.write({**copy.config, "ablations": {"eta": sweep}})
    copy.run("ablation_eta")
    table = pd.read_csv(copy.results / "figures/ablation_eta.csv")
    assert list(table.entry) == ["eta=0.5", "eta=0.7"]
    assert "Nothing to be done" in copy.run("ablation_eta")

    entries["eta=0.7"]["models"]["jt"]["training"]["eta"] = 0.8
    copy.write(copy.config)
    jobs = copy.planned("ablation_eta")
    assert jobs["train_model"] == jobs["evaluate_relaxation"] == 1
    assert copy.planned("all") == {}


def test_a_second_study_leaves_the_first_alone(copy):
    before = {path: path.stat().st_mtime_ns for path in copy.results.rglob("*") if path.is_file()}
    first = copy.config
    copy.write({**first, "study": "other", "methods": {"MMFF94": {"relaxer": "mmff94"}}, "models": {}, "figures": ["fig4"]})
    copy.run("fig4")
    assert (copy.results / "figures/fig4.csv").is_file()
    assert {
        path: path.stat().st_mtime_ns for path in (copy.folder / "results" / first["study"]).rglob("*") if path.is_file()
    } == before
    copy.write(first)
    assert "Nothing to be done" in copy.run("all")


def test_the_report_is_one_page_that_opens_with_this_run_and_the_paper(finished):
    page = finished.folder / "report.html"
    finished.run("--report", str(page))
    text = page.read_text(encoding="utf-8")
    assert "This run and the paper" in text
    for name in finished.config["figures"]:
        assert f"{name}.{'html' if name.startswith('table') else 'png'}" in text
    assert "system-message" not in text  # what docutils leaves where a caption or a table is broken


def test_a_lost_result_is_made_again(copy):
    (copy.results / "figures/fig4.png").unlink()
    assert set(copy.planned("all")) <= {"all", "fig4"}
    copy.run("all")
    assert (copy.results / "figures/fig4.png").is_file()


def test_one_config_file_is_one_study(finished):
    assert yaml.safe_load(finished.configfile.read_text(encoding="utf-8"))["study"] == finished.results.name
