"""What figures declare: their inputs and outputs, and that reading them loads nothing that draws."""

import subprocess
import sys
import types

import pytest
import yaml

from morered.figures import declaration
from morered.figures.declaration import Figure, declared, figures_of, in_catalogue
from morered.study import Study


@pytest.fixture(scope="module")
def study(repository):
    """The toy study, which makes every figure, with a sweep."""
    config = yaml.safe_load((repository / "config/tiny.yaml").read_text(encoding="utf-8"))
    sweep = {"methods": ["MoreRed-JT"], "entries": {"a": {}, "eta=0.5": {"models": {"jt": {"training": {"eta": 0.5}}}}}}
    config["ablations"] = {"eta": sweep}
    return Study(config)


def test_declarations_are_read_without_what_draws_and_computes():
    heavy = "{'numpy', 'pandas', 'scipy', 'torch', 'matplotlib', 'seaborn', 'ase', 'h5py'}"
    code = f"import sys; from morered.figures.declaration import declared; assert declared(); print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_every_declaration_is_whole(study):
    assert set(study.settings.figures) <= set(declared())
    for name, figure in figures_of(study).items():
        assert figure.caption.startswith("**"), name
        assert figure.draw.__name__ == "draw", name  # the script finds it by this name
        assert vars(sys.modules[figure.draw.__module__])["draw"] is figure.draw, name
        outputs = list(figure.output_files(study, name).values())
        assert len(set(outputs)) == len(outputs), name
        assert outputs[0] == figure.stem(study, name) + (".png" if figure.picture else ".csv")
        assert set(figure.shown_files(study, name)) <= set(figure.output_files(study, name)), name


def test_files_of_a_figure(study):
    fig6, fig4, table = (declared()[name] for name in ("fig6", "fig4", "tableD"))
    assert fig6.output_files(study, "fig6") == {
        "png": "results/tiny/figures/fig6.png",
        "pdf": "results/tiny/figures/fig6.pdf",
        "csv": "results/tiny/figures/fig6.csv",
        "html": "results/tiny/tables/fig6.html",
    }
    assert fig6.shown_files(study, "fig6")["html"] == ("Tables", {"table": "energies"})
    assert list(table.output_files(study, "tableD")) == ["csv", "html", "steps", "training"]
    runs = fig4.shown_runs(study)
    assert fig4.input_files(study) == {"tables": [study.metrics(*run) for run in runs]}
    assert runs[0] == ("normal-modes", "MoreRed-ITP", 0)
    examples = declared()["fig5"].input_files(study)
    assert list(examples) == ["tables", "relaxed", "inputs", "minima"]
    assert len(examples["tables"]) == len(examples["relaxed"]) == 2
    assert declared()["fig1"].input_files(study) == {}


def test_a_sweep_is_a_figure_with_the_runs_of_its_entries(study):
    figure = figures_of(study)["ablation_eta"]
    assert "ablation_eta" not in declared()
    entries = {"a": "MoreRed-JT", "eta=0.5": "MoreRed-JT@eta=0.5"}
    runs = {entry: [(testset, name, 0) for testset in study.settings.testsets] for entry, name in entries.items()}
    assert figure.plan(study)["entries"] == runs
    assert figure.shown_runs(study) == [run for entry in runs.values() for run in entry]
    assert figure.shown_files(study, "ablation_eta")["png"][0] == "Ablations"


def test_pictures_and_tables_are_told_apart():
    names = ["tableB1", "fig4", "tableD", "savings"]
    assert in_catalogue(names, pictures=True) == ["fig4", "savings"]
    assert in_catalogue(names, pictures=False) == ["tableB1", "tableD"]


def test_a_module_that_declares_nothing_is_named(monkeypatch):
    with pytest.raises(TypeError, match=r"^half declares no figure: it needs FIGURE"):
        declaration._declaration("half", types.ModuleType("half"))
    whole = types.ModuleType("whole")
    whole.FIGURE = Figure("", print)
    assert declaration._declaration("whole", whole) is whole.FIGURE
