"""`make stale` on results made by a copy of the package that is then edited, so that what is seen is what a user would see."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import morered
from morered import code_digest, storage
from morered.relaxation import relax
from morered.stale import stale
from morered.structures import Structures

PACKAGE = Path(morered.__file__).parent
WATER = Structures.build([[8, 1, 1]], [[[0, 0, 0], [0, 0, 1], [0, 1, 0]]], ["water"])


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package's sources, in place of it for the digests."""
    copy = tmp_path / "src/morered"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "weights", "viewer", "*.h5"))
    monkeypatch.setattr(code_digest, "__file__", str(copy / "code_digest.py"))
    return copy


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


def listed(results) -> dict[str, str]:
    return {path.name: why for path, why in stale(results)}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_results_of_unknown_code_and_broken_ones_are_listed(results):
    made = storage.provenance(Structures.concatenate)
    storage.write(results / "fresh.h5", WATER, made)
    storage.write(results / "old.h5", WATER, {**made, "code": "0" * 64})
    storage.write(results / "unknown.h5", WATER)
    (results / "deep").mkdir()
    (results / "deep/broken.h5").write_bytes(b"no HDF5")
    (results / "broken.safetensors").write_bytes(b"no weights")
    found = listed(results)
    assert set(found) == {"old.h5", "unknown.h5", "broken.h5", "broken.safetensors"}
    assert "earlier version" in found["old.h5"]
    assert "does not say" in found["unknown.h5"]


def test_a_comment_in_a_command_changes_nothing(package, results):
    storage.write(results / "relaxed.h5", WATER, storage.provenance(relax))
    for file in (package / "commands").glob("*.py"):
        file.write_text(file.read_text(encoding="utf-8") + "# a comment\nMORE = 1\n", encoding="utf-8")
    assert listed(results) == {}


@pytest.mark.parametrize("file", ["models/native/vectors.h", "models/native/kernels.cpp"])
def test_a_changed_kernel_is_listed(package, results, file):
    storage.write(results / "relaxed.h5", WATER, storage.provenance(relax))
    storage.write(results / "joined.h5", WATER, storage.provenance(Structures.concatenate))
    with open(package / file, "a", encoding="utf-8") as header:
        header.write("// another kernel\n")
    found = listed(results)
    assert set(found) == {"relaxed.h5"}
    assert file in found["relaxed.h5"]


def test_a_changed_diffusion_step_is_listed_and_a_docstring_is_not(package, results):
    storage.write(results / "relaxed.h5", WATER, storage.provenance(relax))
    storage.write(results / "energies.h5", WATER, storage.provenance("morered.energies.batch"))
    step = package / "relaxation/samplers/reverse_diffusion.py"
    step.write_text(step.read_text(encoding="utf-8").replace('"""', '"""Reworded. ', 1) + "\n# reworded\n", encoding="utf-8")
    assert listed(results) == {}
    step.write_text(step.read_text(encoding="utf-8") + "\nSCALE = 2\n", encoding="utf-8")
    assert listed(results) == {"relaxed.h5": "made by other code: relaxation/samplers/reverse_diffusion.py"}


def test_a_module_that_is_imported_anew_or_gone_is_named(package, results):
    storage.write(results / "energies.h5", WATER, storage.provenance("morered.energies.batch"))
    edit(package / "dft/mbd.py", "import numpy as np\n", "import numpy as np\nfrom morered.metrics import rmsd\n")
    assert {"dft/mbd.py", "metrics/rmsd.py"} <= set(code_digest.changes(storage.read_provenance(results / "energies.h5")["code"]))
    shutil.rmtree(package / "energies")
    assert "energies/batch.py" in listed(results)["energies.h5"]


def test_other_weights_are_listed(results, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    weights = Path("results/jt.safetensors")
    weights.parent.mkdir()
    shutil.copy(PACKAGE / "weights/morered-jt.safetensors", weights)
    storage.write("results/relaxed.h5", WATER, storage.provenance(relax, parents=[weights]))
    assert listed(Path("results")) == {}
    shutil.copy(PACKAGE / "weights/morered-time.safetensors", weights)
    assert listed(Path("results")) == {"relaxed.h5": "made with other weights: results/jt.safetensors"}


def test_the_command_counts_and_says_what_to_do(results):
    storage.write(results / "unknown.h5", WATER)
    run = [sys.executable, "-m", "morered.stale", str(results)]
    done = subprocess.run(run, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)})
    assert "unknown.h5: does not say" in done.stdout
    assert "1 results are stale" in done.stdout
    assert "--forcerun" in done.stdout
