"""Every kind of dataset through the workflow, from where it comes from to test inputs and training data."""

import io
import json
import lzma
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import astuple
from pathlib import Path

import h5py
import numpy as np
import pytest

from datasets_support import Server, serving, write_qm7x
from morered import formats, storage
from morered.datasets import qm7, splits
from morered.datasets.sources import COLUMNS
from morered.study import Study

pytestmark = pytest.mark.slow

DUPLICATE = "Geom-m1-i1-c2-opt"
SMILES = "CCO ethanol\nC1CC broken\nO water\nC=O formaldehyde\nO again\n"


def write_table(path: Path, server: Server, unpacked: dict[str, bytes], dataset: str = "qm7x") -> None:
    """A table of files that lists all that the server has."""
    rows = [",".join(COLUMNS)]
    for name in server.files:
        inner = unpacked.get(name)
        source = server.source(name, unpacked=inner, dataset=dataset)
        inside = ("", "", "") if source.unpacked is None else astuple(source.unpacked)
        rows.append(",".join(map(str, [dataset, "1", *astuple(source.file), *inside, *source.urls, ""])))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def serve_qm7x(server: Server, folder: Path) -> None:
    """Two files of QM7-X's format on a server that misbehaves; a structure and a property are missing."""
    files = {"1000": [(1, 1, 1), (1, 1, 2), (2, 1, 1), (2, 2, 1)], "8000": [(10, 1, 1), (7001, 1, 1)]}
    unpacked = {}
    for name, minima in files.items():
        path = folder / f"{name}.hdf5"
        write_qm7x(path, minima, displaced=7, flat=name == "8000")
        with h5py.File(path, "a") as file:
            if name == "1000":
                del file["1"]["Geom-m1-i1-c1-d7"]
                del file["2"]["Geom-m2-i1-c1-d3"]["totFOR"]
        unpacked[f"{name}.xz"] = path.read_bytes()
        server.files[f"{name}.xz"] = lzma.compress(unpacked[f"{name}.xz"], preset=0)
        path.unlink()
    server.files["DupMols.dat"] = f"{DUPLICATE}\n".encode()
    server.faults = {
        "1000.xz": [{"cut": len(server.files["1000.xz"]) // 2}, {"wrong": True}],
        "8000.xz": [{"status": 429, "retry_after": "1"}],
        "DupMols.dat": [{"status": 503, "retry_after": "0"}],
    }
    write_table(folder / "table.csv", server, unpacked)


CONFIG = {
    "study": "datasets",
    "datasets": {
        "qm7x": {
            "kind": "qm7x",
            "files": ["1000", "8000"],
            "sources": "table.csv",
            "split": {"train": 1, "validation": 1},
        },
        "drawn": {
            "kind": "custom",
            "file": "drawn.smi",
            "relax_with": "mmff94",
            "conformers": 2,
            "chunks": 2,
            "split": {"train": 1, "validation": 1},
            "displaced": {"per_minimum": 2, "calculator": "mmff94", "labels": "gfn2", "chunks": 1},
        },
        "given": {"kind": "custom", "file": "given.xyz", "split": {"train": 2, "validation": 1}},
    },
    "models": {"mlff": {"kind": "mlff", "dataset": "drawn"}},
    "testsets": {
        "published": {"kind": "published", "dataset": "qm7x"},
        "modes": {"kind": "normal-modes", "dataset": "drawn", "calculator": "mmff94", "displacements": 3},
        "diffused": {"kind": "diffused", "dataset": "given"},
    },
    "figures": [],
}


@pytest.fixture(scope="module")
def study():
    return Study(CONFIG)


@pytest.fixture(scope="module")
def made(workflow_in, study, tmp_path_factory):
    """All of it, made in one run."""
    folder = tmp_path_factory.mktemp("datasets")
    workflow = workflow_in(folder, CONFIG)
    (folder / "drawn.smi").write_text(SMILES)
    formats.write(folder / "given.xyz", qm7.load().without_columns()[10:15])
    with serving() as server:
        serve_qm7x(server, folder)
        workflow.run("--", *map(study.inputs, CONFIG["testsets"]), study.displaced("drawn"), "data_cards")
        workflow.requests = list(server.requests)
    return workflow


def read(made, path):
    return storage.read(made.folder / path)


def test_qm7x_comes_from_the_url_to_the_test_inputs(made, study):
    folder = study.data_dir("qm7x")
    structures, minima = read(made, f"{folder}/structures.h5"), read(made, f"{folder}/minima.h5")
    split = splits.load(made.folder / folder / "split.json")
    # 6 minima with 7 displaced structures each; a duplicate minimum goes with its own, one is missing, one lacks its forces
    assert len(structures) == 6 * 8 - 8 - 1 - 1
    assert isinstance(structures.positions, np.memmap)
    assert len(minima) == 5
    assert f"qm7x/{DUPLICATE}" not in minima.names
    assert {part: counts["graphs"] for part, counts in split.counts().items()} == {"train": 1, "validation": 1, "test": 2}
    inputs = read(made, study.inputs("published"))
    assert sorted(set(inputs.references.astype(str))) == sorted(split.test)
    assert inputs.column("rank").tolist() == [0, 1, 2] * len(split.test)
    assert (np.diff(inputs.column("rmsd").reshape(-1, 3)) > 0).all()
    assert inputs.columns["forces"].unit == "eV/Å"


def test_a_misbehaving_server_is_asked_for_what_is_missing_only(made, study):
    spans = [span for name, span, _ in made.requests if name == "1000.xz"]
    assert len(spans) == 3  # cut, continued to wrong bytes, and once more from the start
    assert spans[0] is None
    assert re.fullmatch(r"bytes=\d+-", spans[1])
    assert spans[2] is None
    raw = made.folder / study.raw_dir("qm7x")
    assert sorted(path.name for path in raw.iterdir() if path.is_file()) == [
        "1000.h5", "1000.xz", "8000.h5", "8000.xz", "DupMols.dat",
    ]  # the archives' contents and the parts of downloads are gone  # fmt: skip


def test_your_own_molecules_are_relaxed_split_and_displaced(made, study):
    minima = read(made, f"{study.data_dir('drawn')}/minima.h5")
    assert all(re.fullmatch(r"drawn/(ethanol|water|formaldehyde)-c\d", name) for name in minima.names)  # "again" is water
    assert (minima.column("fmax") < 1e-3).all()
    split = splits.load(made.folder / study.data_dir("drawn") / "split.json")
    inputs = read(made, study.inputs("modes"))
    assert set(inputs.references.astype(str)) == set(split.test)
    given = read(made, f"{study.data_dir('given')}/minima.h5")
    assert len(given) == 5
    diffused = read(made, study.inputs("diffused"))
    assert set(diffused.references.astype(str)) == set(splits.load(made.folder / study.data_dir("given") / "split.json").test)


def test_a_force_field_learns_from_training_and_validation_graphs_only(made, study):
    path = study.training_data("mlff")
    structures, split = read(made, path), splits.load(made.folder / study.data_dir("drawn") / "split.json")
    references = structures.references.astype(str)
    assert set(references) == {*split.train, *split.validation}
    assert len(structures) == 3 * len(set(references))  # two displaced structures, and the minimum itself
    assert {name: structures.columns[name].unit for name in ("energy", "forces")} == {"energy": "eV", "forces": "eV/Å"}
    assert storage.read_provenance(made.folder / path)["label_calculator"] == "gfn2"


def test_every_dataset_has_a_card(made, study):
    cards = {name: json.loads((made.folder / f"{study.card(name)}.json").read_text()) for name in CONFIG["datasets"]}
    assert all((made.folder / f"{study.card(name)}.png").stat().st_size > 10_000 for name in cards)
    assert cards["qm7x"]["duplicates"]["removed_ids"] == [f"qm7x/{DUPLICATE}"]
    assert cards["qm7x"]["level"] == "minima at DFTB3+MBD, energies and forces at PBE0+MBD"
    assert cards["qm7x"]["minima_forces"]["count"] == 5
    assert sum(part["displaced"] for part in cards["qm7x"]["parts"].values()) == 5 * 7 - 2
    assert "'C1CC' is no SMILES" in cards["drawn"]["failures"]["reasons"]["drawn/broken"]
    assert cards["drawn"]["duplicates"]["removed"] >= 1
    assert cards["drawn"]["labels"] == "energies and forces by gfn2, not by DFT"
    assert cards["given"]["level"] == "minima as given in given.xyz"


def test_what_is_there_is_shared_and_other_settings_have_their_own(made, workflow_in, tmp_path):
    shutil.copytree(made.folder, tmp_path / "copy", symlinks=True)
    workflow = workflow_in(tmp_path / "copy", {**CONFIG, "study": "other"})
    workflow.write(workflow.config)
    targets = [f"results/other/testsets/{name}.h5" for name in CONFIG["testsets"]]
    assert set(workflow.planned(*targets)) <= {"select_published", "displace_minima", "gather_testset", "diffuse_minima"}
    datasets = CONFIG["datasets"]
    resplit = {name: {**settings, "split": {"train": 1, "validation": 1, "seed": 1}} for name, settings in datasets.items()}
    workflow.write({**workflow.config, "datasets": resplit})
    jobs = set(workflow.planned(*targets))
    assert {"join_qm7x", "prepare_custom"} <= jobs
    assert not {"download_file", "parse_qm7x", "relax_custom"} & jobs  # of which the split is no part
    shutil.copy(tmp_path / "copy/table.csv", tmp_path / "copy/mirror.csv")
    workflow.write({**workflow.config, "datasets": {**datasets, "qm7x": {**datasets["qm7x"], "sources": "mirror.csv"}}})
    assert workflow.planned(targets[0])["download_file"] == 3


def test_a_file_of_other_bytes_is_not_believed(made, workflow_in, study, tmp_path):
    shutil.copytree(made.folder, tmp_path / "copy", symlinks=True)
    workflow = workflow_in(tmp_path / "copy", CONFIG)
    path = f"{study.raw_dir('qm7x')}/DupMols.dat"
    (workflow.folder / path).write_text("Geom-m2-i1-c1-opt\n")
    printed = workflow.run("--", f"{study.data_dir('qm7x')}/minima.h5", succeed=False)
    assert re.search(rf"{re.escape(path)}: expected 18 bytes with md5:\w+, found 18 bytes with md5:\w+", printed)


def test_qm9_comes_from_its_server_or_from_the_package(workflow_in, tmp_path):
    methane = "5\ngdb 1" + "\t0.5" * 16 + "\nC 0 0 0 0\n" + "".join(f"H {x} {y} 0 0\n" for x in (-1, 1) for y in (-1, 1))
    with tarfile.open(tmp_path / "archive", "w:bz2") as archive:
        for number in range(1, 5):
            entry = tarfile.TarInfo(f"dsgdb9nsd_{number:06d}.xyz")
            entry.size = len(methane)
            archive.addfile(entry, io.BytesIO(methane.encode()))
    config = {
        "study": "qm9",
        "datasets": {"qm9": {"kind": "qm9", "sources": "table.csv", "split": {"train": 1, "validation": 1}}},
        "figures": [],
    }
    workflow = workflow_in(tmp_path, config)
    study = Study(config)
    target = f"{study.data_dir('qm9')}/minima.h5"
    with serving() as server:
        server.files = {
            "dsgdb9nsd.xyz.tar.bz2": (tmp_path / "archive").read_bytes(),
            "uncharacterized.txt": b"1 C C 0.1\n",
        }
        write_table(tmp_path / "table.csv", server, {}, dataset="qm9")
        workflow.run("--", target)
    made = storage.read(tmp_path / target)
    assert made.names == ["qm9/000002", "qm9/000003", "qm9/000004"]
    assert splits.load(tmp_path / target.replace("minima.h5", "split.json")).counts()["test"]["graphs"] == 1
    workflow.write({**config, "datasets": {"qm9": {"kind": "qm9", "source": "qm9pack"}}})
    offline = Study(workflow.config)
    assert workflow.planned(f"{offline.data_dir('qm9')}/minima.h5") == {"prepare_qm9": 1}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (None, ["datasets.qm7x.sources", "nowhere.csv"]),
        ("qm7x,1,2000.xz,1,md5:00,,,,http://localhost/2000.xz,", ["datasets.qm7x.sources", "no file '1000.xz'", "2000.xz"]),
    ],
)
def test_a_table_that_lacks_a_file_is_refused_before_anything_runs(workflow_in, tmp_path, rows, words):
    table = "nowhere.csv"
    if rows is not None:
        table = "table.csv"
        (tmp_path / table).write_text(",".join(COLUMNS) + "\n" + rows + "\n")
    config = {**CONFIG, "datasets": {**CONFIG["datasets"], "qm7x": {**CONFIG["datasets"]["qm7x"], "sources": table}}}
    printed = workflow_in(tmp_path, config).run("--dry-run", "--", "data_cards", succeed=False)
    assert all(word in printed for word in words), printed
    assert "Traceback" not in printed


def test_a_killed_download_continues(workflow_in, study, tmp_path):
    """The program and its workers are killed while the server has stopped in the middle of a file."""
    content, there = np.random.default_rng(0).bytes(5 << 20), 3 << 20  # a block of 1 MiB is written at a time
    target = f"{study.raw_dir('qm7x')}/1000.xz"
    with serving() as server:
        server.files = {"1000.xz": content, "8000.xz": b"-", "DupMols.dat": b"-"}
        server.faults["1000.xz"] = [{"stalled": there}]
        write_table(tmp_path / "table.csv", server, {"1000.xz": b"-", "8000.xz": b"-"})
        workflow = workflow_in(tmp_path, CONFIG)
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(workflow.repository / "Snakefile"), "--nolock"]
        options = ["--directory", str(tmp_path), "--configfile", str(workflow.configfile), "--cores", "1", "--", target]
        killed = subprocess.Popen(
            [*command, *options], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path
        )
        part = (tmp_path / target).parent
        until = time.monotonic() + 120
        while sum(path.stat().st_size for path in part.glob(".1000.xz.*.part")) < there - (1 << 20):
            assert killed.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
        assert not (tmp_path / target).exists()
        workflow.run("--", target)
        assert (tmp_path / target).read_bytes() == content
        first, second = server.served("1000.xz")
        assert first[0] is None
        assert int(re.fullmatch(r"bytes=(\d+)-", second[0])[1]) >= there - (1 << 20)
