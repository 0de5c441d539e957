"""What one call costs before a molecule moves, and what an installation takes: start, memory and size, beside PyTorch's own.

    results/bench/start.csv   CPU and wall seconds and peak memory of a call in a new process, and what they are above
                              `import torch`: `[--repeats N]` times, the least of each
    results/bench/size.csv    megabytes of the core and of what each extra adds, as installed here

The packages' byte code and the kernels must be there already: a first call that is not counted makes them.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")

if TYPE_CHECKING:  # imported after the calls: a new process counts its parent's memory as its own until it is another program
    import pandas as pd
    from packaging.requirements import Requirement

BASE = "import torch"
COMMAND = str(Path(sys.executable).with_name("morered"))
ETHANOL = """9

C  1.19 -0.37 0.02
C  0.05 0.56 -0.03
O  -1.20 -0.30 0.03
H  -1.93 0.38 0.02
H  2.10 0.22 -0.04
H  1.18 -1.03 0.93
H  1.12 -0.99 -0.86
H  0.01 1.19 0.92
H  0.05 1.17 -0.91
"""
CASES: dict[str, list[str]] = {
    BASE: [sys.executable, "-c", "import torch"],
    "import numpy, ase, safetensors": [sys.executable, "-c", "import numpy, ase, safetensors.numpy"],
    "morered --version": [COMMAND, "--version"],
    "morered info": [COMMAND, "info"],
    "relax one ethanol, xyz to xyz": [COMMAND, "relax", "in.xyz", "-o", "out.xyz", "-q"],
    "relax one ethanol, SMILES to SDF": [COMMAND, "relax", "-s", "CCO", "-o", "out.sdf", "-q"],
    "the same with --table and --html": [COMMAND, "relax", "in.xyz", "-o", "o.xyz", "--table", "o.csv", "--html", "o.html", "-q"],
}


def call(command: list[str], folder: str) -> tuple[float, float, float]:
    """CPU seconds, wall seconds and megabytes at most of one process."""
    start = time.perf_counter()
    process = os.posix_spawn("/bin/sh", ["sh", "-c", 'cd "$0" && exec "$@" >/dev/null', folder, *command], os.environ)
    _, status, used = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with status {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime, time.perf_counter() - start, used.ru_maxrss / 1024


def starts(repeats: int) -> pd.DataFrame:
    """One row for each of `CASES`."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "in.xyz").write_text(ETHANOL, encoding="utf-8")
        measured: dict[str, list[tuple[float, float, float]]] = {name: [] for name in CASES}
        for repeat in range(repeats + 1):  # one after another, so that what else the machine does falls on all of them
            for name, command in CASES.items():
                found = call(command, folder)
                if repeat:
                    measured[name].append(found)
        for name, runs in measured.items():
            cpu, wall, memory = (min(column) for column in zip(*runs, strict=True))
            rows.append({"case": name, "cpu_s": cpu, "wall_s": wall, "memory_MB": memory})
    import pandas as pd

    table = pd.DataFrame(rows)
    base = table.set_index("case").loc[BASE]
    for column in ("cpu_s", "memory_MB"):
        table[f"{column}_above_torch"] = table[column] - base[column]
    return table


def closure(requirements: list[Requirement]) -> set[str]:
    """Distributions that these requirements bring, as installed here; those that are not installed are left out."""
    from packaging.requirements import Requirement

    found: set[str] = set()
    asked = [(requirement, extra) for requirement in requirements for extra in (*requirement.extras, "")]
    done = set()
    while asked:
        requirement, extra = asked.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if (name, extra) in done:
            continue
        done.add((name, extra))
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        found.add(name)
        for need in map(Requirement, needs):
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                asked += [(need, other) for other in (*need.extras, "")]
    return found


def megabytes(names: set[str]) -> float:
    """Of all files of these distributions, those outside of the environment (an editable installation's) included."""
    files = {Path(str(path.locate())).resolve() for name in names for path in distribution(name).files or []}
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e6


def sizes() -> pd.DataFrame:
    """One row for PyTorch alone, for the core, and for what each extra adds to the core."""
    import pandas as pd
    from packaging.requirements import Requirement

    core = closure([Requirement("morered")])
    rows = [
        {"part": "torch and what it brings", "packages": len(n := closure([Requirement("torch")])), "MB": megabytes(n)},
        {"part": "core", "packages": len(core), "MB": megabytes(core)},
    ]
    for extra in distribution("morered").metadata.get_all("Provides-Extra") or []:
        added = closure([Requirement(f"morered[{extra}]")]) - core
        rows.append({"part": f"+ {extra}", "packages": len(added), "MB": megabytes(added)})
    return pd.DataFrame(rows)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="calls of each case (default: 5)")
    parser.add_argument("--out", type=Path, default=Path("results/bench"), help="where the tables go")
    arguments = parser.parse_args()
    tables = {"start": starts(arguments.repeats), "size": sizes()}
    from morered.metrics.tables import write_table

    for name, table in tables.items():
        write_table(table.round(2), arguments.out / f"{name}.csv")
        print(table.round(2).to_string(index=False), end="\n\n")


if __name__ == "__main__":
    main()
