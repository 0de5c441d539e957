"""A library of one's own through the workflow: chunks, one SDF, one table, one page."""

import csv
import json
import re

import pytest

from morered import formats

pytestmark = pytest.mark.slow

SMILES = ["CCO ethanol", "C1CC broken", "CC(C)C isobutane", "CC(=O)N", "CCN ethylamine", "c1ccccc1 benzene", "CCO ethanol"]
CONFIG = {"study": "mine", "libraries": {"own": {"file": "own.smi", "method": "fast", "chunks": 2}}, "figures": []}


@pytest.fixture(scope="module")
def made(workflow_in, tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    (folder / "own.smi").write_text("\n".join(SMILES) + "\n")
    workflow = workflow_in(folder, CONFIG)
    assert workflow.planned("all") == {"all": 1, "count_library": 1, "relax_library": 2, "gather_library": 1}
    workflow.run("all")
    return workflow


def test_a_library_becomes_one_sdf_one_table_and_one_page(made):
    folder = made.results / "libraries/own"
    with (folder / "verdicts.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = ["ethanol", "broken", "isobutane", "own/4", "ethylamine", "benzene", "ethanol#2"]
    assert [row["name"] for row in rows] == names
    assert [row["verdict"] for row in rows] == ["converged", "refused", *["converged"] * 5]
    molecules = formats.read(folder / "relaxed.sdf.gz").records
    assert [record.name for record in molecules] == [name for name in names if name != "broken"]
    assert not any(record.problem for record in molecules)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["molecules"] == 7
    assert summary["verdicts"] == {"converged": 6, "refused": 1}
    assert summary["provenance"]["code"]
    assert not list((folder / "chunks").glob("*.pieces"))


def test_the_page_tells_coverage_and_shows_the_worst_first(made):
    text = (made.results / "libraries/own/report.html").read_text()
    assert "<b>85.7 %</b> of 7 molecules converged" in text
    assert "1 refused: … is no SMILES" in text
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
    assert data["table"]["name"][0] == "broken"
    moved = data["table"]["moved"][1:]
    assert moved == sorted(moved, reverse=True)
    details = re.search(r'id="details">(.*?)</script>', text, re.DOTALL)[1].strip().splitlines()
    structure = json.loads(details[1])
    assert structure["before"] != structure["after"]
    assert len(structure["before"]) == len(structure["after"]) == 3 * len(structure["symbols"])


def test_the_config_that_ships_asks_for_a_library_alone(repository, workflow_in, tmp_path):
    import yaml

    (tmp_path / "library.smi.gz").write_bytes(b"")
    config = yaml.safe_load((repository / "config/library.yaml").read_text(encoding="utf-8"))
    chunks = config["libraries"]["mine"]["chunks"]
    planned = workflow_in(tmp_path, config).planned("all")
    assert planned == {"all": 1, "count_library": 1, "relax_library": chunks, "gather_library": 1}
