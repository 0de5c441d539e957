"""The paper's study on a synthetic QM7-X: what each rule takes by the number of structures, and what it will take on all of them.

    results/bench/rehearsal.csv   rule, structures, jobs, largest resident memory (MB), seconds (wall, all jobs together)
    results/bench/rehearsal.md    the table of docs/cluster.md: growth per million structures, and what 4.2 million would take

Files in the layout of QM7-X (`--structures 4000,40000,400000`: minima of the embedded QM7 in several conformers, 100 displaced
structures each; energies and forces are random numbers) are packed, served from this machine and put through
``config/paper.yaml``: download, parsing, test inputs, ten steps of each training, relaxations, energies, figures. Only counts are
cut: batches, steps, test graphs, seeds, and the basis of the single points. What samples QM9 or images is left out: it does not
know QM7-X. The real files hold some forty properties of each structure; here are those that are read and five others, so that
seconds of unpacking follow bytes, and are not what is extrapolated.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import http.server
import lzma
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import yaml
from h5py import h5d, h5g, h5s, h5t
from numpy.typing import NDArray

from morered.datasets import qm7, qm7x, qm7x_records
from morered.datasets.sources import COLUMNS
from morered.structures import Structures

ROOT = Path(__file__).parent.parent
FILES = tuple(f"{k}000" for k in range(1, 9))
CONFORMERS = 6  # QM7-X: 41 537 minima of 6 950 graphs
#: Rules whose memory or time follows the number of structures; the others follow what is cut. Only force fields learn from them
#: all, and a training of SO3Net takes most of its memory for batches, whose size is cut.
FOLLOW = (
    "parse_qm7x", "join_qm7x", "select_published", "diffuse_minima", "train_model mlff", "measure_labels", "describe_dataset",
)  # fmt: skip


def write_file(path: Path, graphs: list[tuple[int, Structures]], rng: np.random.Generator) -> int:
    """Write one file of the layout; returns how many structures it has."""
    count = 0
    with h5py.File(path, "w") as file:
        for number, minimum in graphs:
            group = h5g.create(file.id, str(number).encode())
            _, numbers, positions = minimum.molecule(0)
            for conformer in range(1, CONFORMERS + 1):
                centre = positions + rng.normal(scale=0.1, size=positions.shape)
                for d in range(qm7x_records.DISPLACED + 1):
                    moved = centre + rng.normal(scale=0.003 * d, size=centre.shape)
                    name = f"Geom-m{number}-i1-c{conformer}-" + (f"d{d}" if d else "opt")
                    _write_structure(h5g.create(group, name.encode()), numbers, moved, rng)
                    count += 1
    return count


def _write_structure(group: Any, numbers: NDArray[Any], positions: NDArray[np.float64], rng: np.random.Generator) -> None:
    n = len(numbers)
    forces, energy = rng.normal(size=(n, 3)), -1000.0 * n + rng.normal()
    values = {
        "atNUM": numbers.astype(np.float64)[:, None],
        "atXYZ": positions,
        "sRMSD": np.array([0.1]),
        "ePBE0": np.array([energy]),
        "eMBD": np.array([-0.1]),
        "ePBE0+MBD": np.array([energy - 0.1]),
        "HLgap": np.array([5.0]),
        "pbe0FOR": forces,
        "vdwFOR": 0.01 * forces,
        "totFOR": 1.01 * forces,
        "hVOL": np.full((n, 1), 20.0),
        "hRAT": np.full((n, 1), 0.8),
    }
    for name, value in values.items():
        data = h5d.create(group, name.encode(), h5t.IEEE_F64LE, h5s.create_simple(value.shape))
        data.write(h5s.ALL, h5s.ALL, np.ascontiguousarray(value))


def make(folder: Path, structures: int) -> tuple[int, list[dict[str, Any]]]:
    """Packed files for a server; returns the number of graphs and the rows of the table of files, without their addresses."""
    minima = qm7.load()
    per_graph = CONFORMERS * (qm7x_records.DISPLACED + 1)
    graphs = max(len(FILES), round(structures / per_graph))
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(minima), graphs)
    rows = []
    for k, name in enumerate(FILES):
        own = [(1000 * k + j + 1, minima[[int(m)]]) for j, m in enumerate(chosen[k :: len(FILES)])]
        path = folder / f"{name}.hdf5"
        write_file(path, own, rng)
        content = path.read_bytes()
        path.unlink()
        packed = lzma.compress(content, preset=0)
        (folder / f"{name}.xz").write_bytes(packed)
        rows.append(_row(f"{name}.xz", packed) | _row(f"{name}.hdf5", content, "unpacked"))
    duplicates = b"Geom-m1-i1-c2-opt\n"
    (folder / "DupMols.dat").write_bytes(duplicates)
    rows.append(_row("DupMols.dat", duplicates))
    return graphs, rows


def _row(name: str, content: bytes, kind: str = "") -> dict[str, Any]:
    digest = f"md5:{hashlib.md5(content).hexdigest()}"
    if kind:
        return {kind: name, f"{kind}_bytes": len(content), f"{kind}_digest": digest}
    return {"dataset": "qm7x", "version": "rehearsal", "file": name, "bytes": len(content), "digest": digest}


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A server of a folder's files; its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def write_table(path: Path, rows: list[dict[str, Any]], address: str) -> None:
    """The table of files that the config names."""
    table = pd.DataFrame([{"url": f"{address}/{row['file']}", **row} for row in rows], columns=list(COLUMNS))
    table.convert_dtypes().to_csv(path, index=False)


def cut(graphs: int, table: Path) -> dict[str, Any]:
    """The paper's config with counts cut."""
    config = yaml.safe_load((ROOT / "config/paper.yaml").read_text(encoding="utf-8"))
    config["study"] = "rehearsal"
    share = graphs / qm7x.MOLECULES
    split = {"train": max(1, int(4500 * share)), "validation": max(1, int(1250 * share))}
    config["datasets"] = {"qm7x": {"kind": "qm7x", "sources": str(table), "split": split}}
    config["models"] = {name: model for name, model in config["models"].items() if "qm9" not in name}
    for model in config["models"].values():
        model["training"] = {**model.get("training", {}), "max_steps": 10, "validate_every": 10, "batch_size": 8, "device": "cpu"}
    for method in config["methods"].values():
        if method["relaxer"] == "morered":
            method["seeds"] = 1
        if method["relaxer"] in ("morered", "mlff"):
            method["steps"] = 10
    for testset in config["testsets"].values():
        testset["molecules"] = 2
    sampled = {"molecules": 1, "max_atoms": 12, "level": {"basis": "sto-3g", "grid": 1}, "chunks": 1}
    config["energies"] = sampled
    config["savings"] = {**sampled, "methods": ["MMFF94"], "level": {**sampled["level"], "coarse_grid": 1}}
    of_others = {"figA1", "figB4", "figD1", "figD2", "tableB1"}
    config["figures"] = [name for name in config["figures"] if name not in of_others]
    config["generation"] = {}
    config.pop("images")
    config.pop("ablations")
    return config


def rehearse(folder: Path, structures: int, cores: int) -> pd.DataFrame:
    """Run the study once; rule (of a training with its model), structures, jobs, max_rss (MB), seconds."""
    files, work = folder / "server", folder / "work"
    files.mkdir(parents=True)
    work.mkdir()
    graphs, rows = make(files, structures)
    with served(files) as address:
        write_table(folder / "table.csv", rows, address)
        (folder / "config.yaml").write_text(yaml.safe_dump(cut(graphs, folder / "table.csv"), sort_keys=False), encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--snakefile", str(ROOT / "Snakefile")]
        command += ["--directory", str(work), "--configfile", str(folder / "config.yaml"), "--quiet", "rules", "--", "all"]
        with (folder / "run.log").open("w") as log:
            done = subprocess.run(command, stdout=log, stderr=log, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
        if done.returncode:
            sys.exit((folder / "run.log").read_text(encoding="utf-8")[-6000:])
    found = []
    for path in [*work.glob("results/**/benchmarks/**/*.tsv")]:
        rule = path.parts[path.parts.index("benchmarks") + 1].removesuffix(".tsv")
        rule += f" {path.stem}" if rule == "train_model" else ""
        found.append({"rule": rule, **pd.read_csv(path, sep="\t", na_values=["-"]).iloc[0][["s", "max_rss"]].to_dict()})
    made = graphs * CONFORMERS * (qm7x_records.DISPLACED + 1)
    grouped = pd.DataFrame(found).groupby("rule").agg(jobs=("s", "size"), max_rss=("max_rss", "max"), seconds=("s", "sum"))
    return grouped.reset_index().assign(structures=made)[["rule", "structures", "jobs", "max_rss", "seconds"]]


def extrapolated(table: pd.DataFrame) -> str:
    """A Markdown table of the rules that follow the number of structures: seen, growth over the last two sizes, all of QM7-X."""
    sizes = sorted(table["structures"].unique())
    small, large = sizes[-2:] if len(sizes) > 1 else (sizes[0], sizes[0])
    heads = [f"{size:,} structures".replace(",", " ") for size in sizes]
    lines = [
        f"| rule | {' | '.join(heads)} | a million more | all of QM7-X |",
        f"|---|{'---|' * (len(sizes) + 2)}",
    ]
    for rule in FOLLOW:
        rows = table[table["rule"] == rule].set_index("structures")
        if not set(sizes) <= set(rows.index):
            continue
        seen = [f"{rows.loc[size, 'max_rss']:.0f} MB, {rows.loc[size, 'seconds']:.0f} s" for size in sizes]
        growth = {}
        for column in ("max_rss", "seconds"):
            low, high = rows.loc[small, column], rows.loc[large, column]
            growth[column] = (high - low) / max(large - small, 1)
        all_of_it = {c: rows.loc[large, c] + growth[c] * (qm7x.STRUCTURES - large) for c in growth}
        more = f"{growth['max_rss'] * 1e6:.0f} MB, {growth['seconds'] * 1e6:.0f} s"
        told = f"{all_of_it['max_rss'] / 1e3:.1f} GB, {all_of_it['seconds'] / 60:.0f} min"
        lines.append(f"| `{rule}` | {' | '.join(seen)} | {more} | {told} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--structures", default="4000,40000", help="numbers of structures, ascending")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where files go while it runs (default: the system's temporary folder)")
    parser.add_argument("--out", type=Path, default=ROOT / "results/bench")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    csv, tables = options.out / "rehearsal.csv", []
    for count in map(int, options.structures.split(",")):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            tables.append(rehearse(Path(folder), count, options.cores))
        table = pd.concat(tables, ignore_index=True)
        table.to_csv(csv, index=False)
        print(tables[-1].to_string(index=False), flush=True)
    (options.out / "rehearsal.md").write_text(extrapolated(table), encoding="utf-8")
    print(extrapolated(table))


if __name__ == "__main__":
    main()
