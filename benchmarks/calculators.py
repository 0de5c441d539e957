"""Milliseconds per structure of every calculator: one at a time, batched, in worker processes -> results/bench/calculators.csv.

The structures are minima of the embedded QM7, drawn with a fixed seed and displaced by 0.03 Å; energies and forces are computed
by processes of one thread each. Times are the best of the repeats, since others can only disturb. One process: CPU time, which
a busy machine does not stretch. The pool labels the same chunks of 16 structures as the batched run; its wall time counts from
when every worker has answered once, and its efficiency is the batched run's wall time over workers times its own, which means
something on as many idle cores only. Its start-up (spawning, imports, loading a network) is a column of its own. The MLFF is a
network of the paper's size (128 features) with random weights.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from morered import calculators
from morered.calculators import Calculator
from morered.files import atomic_path
from morered.parallel import TaskFailure, map_processes
from morered.structures import Structures

Options = tuple[tuple[str, Any], ...]

CHUNK = 16
CASES: dict[str, dict[str, Any]] = {
    "mmff94": {},
    "gfn1": {},
    "gfn2": {},
    "aimnet2": {"dtype": "float32"},
    "aimnet2 (float64)": {"dtype": "float64"},
    "so3lr": {"dtype": "float32"},
    "so3lr (float64)": {"dtype": "float64"},
    "mlff": {"dtype": "float32"},
    "mlff (float64)": {"dtype": "float64"},
}


_MADE: dict[tuple[str, Options], Calculator] = {}


def calculator(name: str, options: Options) -> Calculator:
    """One of a kind in each process."""
    if (name, options) not in _MADE:
        _MADE[name, options] = calculators.get(name, **dict(options))
    return _MADE[name, options]


def label(part: Structures, name: str, options: Options) -> int:
    """Label one chunk; the number of molecules that failed."""
    return int((~calculator(name, options).compute(part).succeeded).sum())


class Alone(NamedTuple):
    """One process: molecules that failed, CPU seconds for the first chunk one by one, CPU and wall seconds for all chunks."""

    failed: int
    single: float
    batched: float
    wall: float


def alone(parts: list[Structures], name: str, options: Options, repeats: int) -> Alone:
    """Label all chunks in one process."""
    failed = sum(label(part, name, options) for part in parts)  # warms up too
    singles = [parts[0][m] for m in range(len(parts[0]))]
    single, _ = seconds(lambda: [label(molecule, name, options) for molecule in singles], repeats)
    return Alone(failed, single, *seconds(lambda: [label(part, name, options) for part in parts], repeats))


def seconds(run: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Least CPU time and least wall time of a call."""
    times = []
    for _ in range(repeats):
        cpu, wall = time.process_time(), time.perf_counter()
        run()
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(cpu for cpu, _ in times), min(wall for _, wall in times)


def pool_seconds(work: Callable[[Structures], int], parts: list[Structures], workers: int) -> tuple[float, float]:
    """(Start-up, time for ``parts`` once every worker has answered)."""
    begin = time.perf_counter()
    # Twice as many chunks to warm up on as there are workers, so that each is sure to have had one when they are done.
    warm = 2 * workers
    started = begin
    for done, (_, outcome) in enumerate(map_processes(work, chain(repeat(parts[0], warm), parts), workers=workers), start=1):
        if isinstance(outcome, TaskFailure):
            raise RuntimeError(outcome.reason)
        if done == warm:
            started = time.perf_counter()
    return started - begin, time.perf_counter() - started


def draw(count: int) -> Structures:
    """Displaced minima."""
    from morered.datasets import qm7  # here, because every worker imports this file

    minima = qm7.load().without_columns()
    rng = np.random.default_rng(0)
    chosen = minima[rng.choice(len(minima), count, replace=False)]
    return chosen.with_positions(chosen.positions + 0.03 * rng.standard_normal(chosen.positions.shape))


def measure(case: str, structures: Structures, mlff: str, repeats: int, pools: list[int]) -> dict[str, str | int | float]:
    """One row of the table."""
    name, _, _ = case.partition(" ")
    options = tuple(sorted((CASES[case] | ({"weights": mlff} if name == "mlff" else {})).items()))
    parts = [structures[k : k + CHUNK] for k in range(0, len(structures), CHUNK)]
    ((_, outcome),) = map_processes(partial(alone, name=name, options=options, repeats=repeats), [parts], workers=1)
    if isinstance(outcome, TaskFailure):
        raise RuntimeError(outcome.reason)
    row: dict[str, str | int | float] = {
        "calculator": case,
        "structures": len(structures),
        "mean_atoms": round(float(structures.sizes.mean()), 2),
        "failed": outcome.failed,
        "single_cpu_ms": round(1e3 * outcome.single / len(parts[0]), 3),
        "batched_cpu_ms": round(1e3 * outcome.batched / len(structures), 3),
    }
    work = partial(label, name=name, options=options)
    for workers in pools:
        runs = [pool_seconds(work, parts, workers) for _ in range(repeats)]
        start, wall = min(run[0] for run in runs), min(run[1] for run in runs)
        row[f"pool_{workers}_ms"] = round(1e3 * wall / len(structures), 3)
        row[f"pool_{workers}_efficiency"] = round(outcome.wall / (workers * wall), 3)
        row[f"pool_{workers}_startup_s"] = round(start, 2)
    return row


def new_force_field(folder: str) -> str:
    """Path of weights of the paper's size."""
    from morered.models.networks import build
    from morered.models.weights import WeightsHeader, save
    from morered.settings.networks import ModelConfig  # as above

    path = str(Path(folder) / "mlff.safetensors")
    save(path, build(ModelConfig(kind="mlff", features=128)), WeightsHeader(elements=(1, 6, 7, 8, 16, 17)))
    return path


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/bench/calculators.csv"))
    parser.add_argument("--structures", type=int, default=256, help="how many to label (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="best of so many (default: %(default)s)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="sizes of the pool (default: 1 2)")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), help="these calculators (default: all)")
    arguments = parser.parse_args()

    structures = draw(arguments.structures)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        mlff = new_force_field(folder)
        for case in arguments.only:
            rows.append(measure(case, structures, mlff, arguments.repeats, arguments.workers))
            print("  ".join(f"{key}={value}" for key, value in rows[-1].items()), flush=True)
    with atomic_path(arguments.out) as temporary, temporary.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()
