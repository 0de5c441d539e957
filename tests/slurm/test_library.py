"""A library through Slurm, one of whose jobs is cancelled while it waits or runs: every molecule comes out once."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from node import slurm

from conftest import Run
from morered import formats

pytestmark = pytest.mark.slurm

#: Alcohols and amines with names of their own, so that each is told from the others.
SMILES = {f"{kind}{length}": "C" * length + atom for kind, atom in (("alcohol", "O"), ("amine", "N")) for length in range(2, 7)}


def test_a_library_comes_out_whole_once(in_folder: Callable[[Path, Path], Run], tmp_path: Path) -> None:
    (tmp_path / "own.smi").write_text("".join(f"{smiles} {name}\n" for name, smiles in SMILES.items()))
    run = in_folder(tmp_path, Path(__file__).parent / "library.yaml")
    running = run.start("all")
    cancelled = run.wait_for_job(running, "PENDING", "RUNNING", of="relax_library")
    slurm("scancel", cancelled)
    printed = run.finish(running)
    assert f"SLURM-job '{cancelled}' failed" in printed
    assert len(run.jobs("COMPLETED", of="relax_library")) == 3
    results = tmp_path / "results/library/libraries/own"
    table = run.table(results / "verdicts.csv")
    assert list(table["name"]) == list(SMILES)
    assert set(table["verdict"]) == {"converged"}
    assert [record.name for record in formats.read(results / "relaxed.sdf.gz").records] == list(SMILES)
    assert json.loads((results / "summary.json").read_text())["verdicts"] == {"converged": len(SMILES)}
    assert (results / "report.html").stat().st_size > 1000
