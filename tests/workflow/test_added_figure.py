"""A figure is added by one module: nothing else is touched, and it is a target, in the list of a config and in the report."""

import os
import shutil

import pandas as pd
import pytest

pytestmark = pytest.mark.slow

MODULE = '''"""Sizes of the inputs."""

from morered.figures.declaration import Figure

CAPTION = "**Sizes of the inputs.** One bar for each number of atoms, of *this* sample."


def inputs(study, plan):
    return {"inputs": [study.inputs(name) for name in study.settings.testsets]}


def draw(order):
    import pandas as pd
    from morered import storage
    from morered.figures import style

    sizes = [int(size) for path in order.files["inputs"] for size in storage.read(path).sizes]
    with style.look():
        figure = style.new_figure(style.COLUMN, 2)
        figure.subplots().hist(sizes)
        style.save(figure, order.stem, pd.DataFrame({"atoms": sizes}))


FIGURE = Figure(CAPTION, draw, inputs=inputs)
'''


@pytest.fixture
def package(repository, tmp_path, monkeypatch):
    """A copy of the package, its files linked, that the workflow runs on."""
    source = tmp_path / "src"
    shutil.copytree(repository / "src", source, copy_function=os.symlink, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv("PYTHONPATH", str(source))
    return source / "morered"


def test_one_module_adds_a_figure(package, workflow_in, tiny, tmp_path):
    config = {**tiny, "testsets": {"diffused-250": tiny["testsets"]["diffused-250"]}, "figures": ["sizes"], "generation": {}}
    config["methods"] = {"MMFF94": tiny["methods"]["MMFF94"]}
    workflow = workflow_in(tmp_path, config)
    assert "figures.0: 'sizes' is not one of" in workflow.run("--dry-run", "--", "figures", succeed=False)

    (package / "figures/catalogue/sizes.py").write_text(MODULE, encoding="utf-8")
    page = tmp_path / "report.html"
    workflow.run("--", "sizes")
    assert {path.name for path in (workflow.results / "figures").iterdir()} == {"sizes.png", "sizes.pdf", "sizes.csv"}
    assert len(pd.read_csv(workflow.results / "figures/sizes.csv")) == config["testsets"]["diffused-250"]["molecules"]
    assert not (workflow.results / "relax").exists()  # what it needs, nothing else
    assert "Nothing to be done" in workflow.run("--", "sizes")
    workflow.run("--report", str(page), "--", "sizes")
    shown = page.read_text(encoding="utf-8")
    assert "sizes.png" in shown
    assert "<strong>Sizes of the inputs.</strong> One bar for each number of atoms, of <em>this</em> sample." in shown
