"""The rehearsal at the paper's scale: its files are QM7-X's to the reader, and its table extrapolates as it says."""

import numpy as np
import pandas as pd
import yaml

from morered import storage
from morered.datasets import qm7, qm7x, sources
from morered.study import Study


def test_a_file_is_one_of_qm7x_to_the_reader(benchmark, tmp_path):
    minima = qm7.load()
    written = benchmark.write_file(tmp_path / "1000.hdf5", [(1, minima[[0]]), (2, minima[[5]])], np.random.default_rng(0))
    report = qm7x.parse_file(tmp_path / "1000.hdf5", tmp_path / "1000.h5", progress=False)
    assert report.problems == ()
    assert (report.molecules, report.minima, report.structures) == (2, 2 * benchmark.CONFORMERS, written)
    structures = storage.read(tmp_path / "1000.h5")
    assert set(structures.sizes) == {minima.sizes[0], minima.sizes[5]}
    assert np.isfinite(structures.column("forces")).all()


def test_only_counts_of_the_paper_are_cut(benchmark, tmp_path, repository):
    config = benchmark.cut(695, tmp_path / "table.csv")
    (tmp_path / "table.csv").write_text("", encoding="utf-8")
    study = Study(yaml.safe_load(yaml.safe_dump(config, sort_keys=False)), repository / "config/ablations")
    paper = Study(yaml.safe_load((repository / "config/paper.yaml").read_text(encoding="utf-8")), repository / "config/ablations")
    assert list(study.settings.methods) == [name for name in paper.settings.methods if "@" not in name]
    for name, model in study.settings.models.items():
        assert (model.kind, model.features) == (paper.settings.models[name].kind, paper.settings.models[name].features)
        assert model.training.max_steps == 10
    split = study.settings.datasets["qm7x"].split
    assert (split.train, split.validation) == (450, 125)


def test_what_all_of_qm7x_takes_follows_from_the_growth(benchmark):
    table = pd.DataFrame(
        {
            "rule": ["join_qm7x", "fig4"] * 2,
            "structures": [100_000, 100_000, 200_000, 200_000],
            "jobs": 1,
            "max_rss": [500.0, 300.0, 600.0, 300.0],
            "seconds": [60.0, 5.0, 120.0, 5.0],
        }
    )
    lines = benchmark.extrapolated(table).splitlines()
    assert len(lines) == 3
    total = 600 + 1e-3 * (qm7x.STRUCTURES - 200_000)
    assert lines[2].startswith("| `join_qm7x` | 500 MB, 60 s | 600 MB, 120 s | 1000 MB, 600 s |")
    assert lines[2].endswith(f"| {total / 1e3:.1f} GB, {(120 + 6e-4 * (qm7x.STRUCTURES - 200_000)) / 60:.0f} min |")


def test_a_table_of_files_lists_what_is_served(benchmark, tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "CONFORMERS", 1)
    graphs, rows = benchmark.make(tmp_path, 1)
    assert graphs == len(benchmark.FILES) == 8
    with benchmark.served(tmp_path) as address:
        benchmark.write_table(tmp_path / "table.csv", rows, address)
    assert len(rows) == 9
    listed = sources.table(tmp_path / "table.csv")
    assert {source.file.name for source in listed} == {row["file"] for row in rows}
    assert all(source.urls[0].startswith(address) for source in listed)
    for row in rows:
        assert (tmp_path / row["file"]).stat().st_size == row["bytes"]
