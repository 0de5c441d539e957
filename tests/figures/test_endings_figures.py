"""Tables and figures of where results end: what they declare, and that they are drawn from the tables of endings."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from morered.figures import results_page
from morered.figures.declaration import Order, declared
from morered.metrics import reliability
from morered.study import ConfigError, Study

NAMES = ("endings", "energyLeft", "coverage", "reliability")


@pytest.fixture(scope="module")
def study(repository: Path) -> Study:
    return Study(yaml.safe_load((repository / "config/organic.yaml").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def table(repository: Path):
    """Made-up endings, as the tests of their summaries have them."""
    spec = importlib.util.spec_from_file_location("endings_made_up", repository / "tests/metrics/test_endings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.table


def test_they_show_the_frozen_tests_and_the_reliability_of_the_calibrated_model_alone(study: Study) -> None:
    plan = study.plan("endings")
    assert ["drugs-etkdg", "organic"] in plan["runs"]
    assert not any(testset.startswith("validation") for testset, _ in plan["runs"])
    assert plan["baseline"] == "MMFF94"
    curve = study.plan("reliability")
    assert curve["model"] == "organic"
    assert {method for _, method in curve["runs"]} == {"organic"}
    files = declared()["reliability"].input_files(study)
    assert files["calibration"] == "results/organic/models/organic/calibration.json"
    assert len(files["endings"]) == len(curve["runs"])


def test_a_study_without_conformers_is_told_what_is_missing(repository: Path) -> None:
    config = yaml.safe_load((repository / "config/tiny.yaml").read_text(encoding="utf-8"))
    with pytest.raises(ConfigError, match="endings needs testsets of kind conformers"):
        Study({**config, "figures": ["endings"]})


def test_each_is_drawn_with_its_numbers_and_written_into_the_document(study: Study, table, tmp_path: Path) -> None:
    runs = [["drugs-etkdg", "fast"], ["drugs-etkdg", "MMFF94"]]
    paths = [tmp_path / "fast.csv", tmp_path / "mmff94.csv"]
    for k, path in enumerate(paths):
        made = table(120, seed=k)
        made.assign(calls=made["calls"] * (k + 1), last_time=made["last_time"] if k == 0 else None).to_csv(path, index=False)
    (tmp_path / "calibration.json").write_text(json.dumps(reliability.fit(table(200)).to_dict()), encoding="utf-8")
    shown = []
    for name in NAMES:
        figure = declared()[name]
        files = {"endings": paths, "calibration": tmp_path / "calibration.json"}
        plan = {"runs": runs, "baseline": "MMFF94", "model": "organic"}
        page = str(tmp_path / f"{name}.html")
        figure.draw(Order(files, plan, [], {"note": "made up"}, tmp_path / name, page))
        picture = tmp_path / f"{name}.png" if figure.picture else None
        assert picture is None or picture.stat().st_size > 5000
        shown.append(results_page.Shown(name, picture, tmp_path / f"{name}.csv"))
    numbers = pd.read_csv(tmp_path / "endings.csv").set_index("method")
    assert numbers.loc["fast", "calls_ratio"] == pytest.approx(0.5)
    html = (tmp_path / "endings.html").read_text(encoding="utf-8")
    assert "made up" in html
    assert "95 (" in html
    assert set(pd.read_csv(tmp_path / "reliability.csv")["quantity"]) == {"rmsd", "energy"}
    assert (pd.read_csv(tmp_path / "energyLeft.csv")["energy_50"] > 0).all()
    text = results_page.filled(
        f"Before.\n\n{results_page.BEGIN}\nold\n{results_page.END}\n\nAfter.\n", "\n\n".join(results_page.sections(shown))
    )
    assert text.startswith("Before.")
    assert text.endswith("After.\n")
    assert "old" not in text
    assert "| drugs-etkdg | fast | 120 |" in text
    assert all(f"![{item.name}](figures/{item.name}.png)" in text for item in shown if item.picture)
    again = results_page.filled(text, "new")
    assert "drugs" not in again
    with pytest.raises(ValueError, match="no part for results"):
        results_page.filled("nothing", "new")


def test_the_documents_own_page_has_a_part_for_results(repository: Path) -> None:
    text = (repository / "docs/organic.md").read_text(encoding="utf-8")
    assert "new results" in results_page.filled(text, "new results")
