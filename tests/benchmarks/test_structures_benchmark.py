"""The benchmark of containers and formats runs, and its table is complete."""

import csv
import importlib.util
import sys
from pathlib import Path

import pytest


def test_the_table_has_every_task(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("structures_benchmark", repository / "benchmarks" / "structures.py")
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    output = tmp_path / "bench" / "structures.csv"
    monkeypatch.setattr(sys, "argv", ["structures.py", "--molecules", "60", "--atoms", "9", "--output", str(output)])
    benchmark.main()
    with output.open() as file:
        rows = list(csv.DictReader(file))
    tasks = [row["task"] for row in rows]
    assert tasks[:4] == ["write hdf5", "open hdf5 (mapped)", "slice (mapped)", "read the slice"]
    assert {"rmsd", "bonds", "write xyz", "read sdf", "read db"} <= set(tasks)
    assert all(float(row["seconds"]) >= 0 and row["atoms"] == "9" for row in rows)
