"""A library of SMILES through `morered relax`: seconds and memory by the number of molecules and of processes.

    results/bench/library.csv   molecules, workers, wall and CPU seconds, peak memory of the largest process, and both for 100 000

The molecules are the graphs of the embedded QM7, over and over, each time under other names: `--counts 1000,10000,100000`. A
process that starts counts as well, so that small counts look slower than they are.
"""

from __future__ import annotations

import argparse
import gzip
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path


def library(path: Path, count: int) -> None:
    """Write a compressed list of so many SMILES."""
    from morered.datasets import qm7

    graphs = qm7.graphs(qm7.load())
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(f"{smiles} m{k}\n" for k, smiles in enumerate(islice(cycle(graphs), count)))


def measured(folder: Path, count: int, workers: int, options: Sequence[str]) -> dict[str, float | int]:
    """One run of the command in a new process."""
    source, out = folder / f"{count}.smi.gz", folder / "out.sdf"
    if not source.exists():
        library(source, count)
    command = [sys.executable, "-m", "morered", "relax", str(source), "-o", str(out), "--table", str(folder / "t.csv"), "-q"]
    start = time.perf_counter()
    # Not by fork: a new process would count this one's memory as its own until it is another program.
    process = os.posix_spawn(sys.executable, [*command, "--workers", str(workers), *options], os.environ)
    _, status, used = os.wait4(process, 0)
    seconds = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) not in (0, 1):  # 1: some did not converge
        raise SystemExit(f"{' '.join(command)} ended with status {os.waitstatus_to_exitcode(status)}")
    with (folder / "t.csv").open(encoding="utf-8") as table:
        lines = sum(1 for _ in table)
    if lines != count + 1:
        raise SystemExit(f"{count} molecules gave {lines - 1} lines")
    cpu = used.ru_utime + used.ru_stime
    return {
        "molecules": count,
        "workers": workers,
        "wall_s": round(seconds, 1),
        "cpu_s": round(cpu, 1),
        "memory_MB": round(used.ru_maxrss / 1024),
        "wall_s_per_100000": round(seconds / count * 1e5),
        "cpu_s_per_100000": round(cpu / count * 1e5),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="1000,10000", help="numbers of molecules (default: 1000,10000)")
    parser.add_argument("--workers", default="1,2", help="numbers of processes (default: 1,2)")
    parser.add_argument("--out", type=Path, default=Path("results/bench"), help="where the table goes")
    parser.add_argument("options", nargs="*", help="further options of the command, after --")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in map(int, arguments.counts.split(",")):
            for workers in map(int, arguments.workers.split(",")):
                rows.append(measured(Path(folder), count, workers, arguments.options))
                print(rows[-1], flush=True)
    import pandas as pd

    from morered.metrics.tables import write_table

    table = pd.DataFrame(rows)
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_table(table, arguments.out / "library.csv")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
