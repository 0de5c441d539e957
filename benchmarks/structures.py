"""A million molecules: written, opened, sliced without loading, read whole, searched for bonds and superposed.

    python benchmarks/structures.py [--molecules 1000000] [--atoms 15] [--output results/bench/structures.csv]

One row per task: seconds, molecules and megabytes per second, and the memory that the task added to the process; pages of a
mapped file are not counted, since they belong to the system's cache.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from morered import chemistry, formats, storage
from morered.files import atomic_path
from morered.metrics.rmsd import rmsd
from morered.structures import Column, Structures, offsets_of

FIELDS = ("task", "molecules", "atoms", "seconds", "molecules_per_second", "megabytes_per_second", "added_megabytes")
SLICE = 1000
CHEMISTRY = 100_000
TEXT = 10_000


def main() -> None:
    """Run every task and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--molecules", type=int, default=1_000_000)
    parser.add_argument("--atoms", type=int, default=15, help="atoms of each molecule")
    parser.add_argument("--output", type=Path, default=Path("results/bench/structures.csv"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(options.molecules, options.atoms, Path(folder))
    with atomic_path(options.output) as path, open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(f"{row['task']:28} {row['molecules']:>9,} molecules {row['seconds']:8.3f} s  {row['added_megabytes']:+.0f} MB")


def synthetic(molecules: int, atoms: int, seed: int = 0) -> Structures:
    """Molecules of H, C, N and O with an energy and forces; atoms 1.1 to 1.9 Å from their neighbours on a grid."""
    generator = np.random.default_rng(seed)
    side = int(np.ceil(atoms ** (1 / 3)))
    grid = 1.5 * np.stack(np.meshgrid(*[np.arange(side)] * 3), axis=-1).reshape(-1, 3)[:atoms]
    positions = grid + generator.uniform(-0.2, 0.2, (molecules, atoms, 3))
    ids = np.char.add(b"synthetic/", np.char.zfill(np.arange(molecules).astype("S7"), 7))
    return Structures(
        numbers=generator.choice(np.array([1, 6, 7, 8], dtype=np.uint8), molecules * atoms),
        positions=positions.reshape(-1, 3),
        offsets=offsets_of(np.full(molecules, atoms)),
        ids=ids,
        references=ids.copy(),
        columns={
            "energy": Column(generator.normal(size=molecules), "eV"),
            "forces": Column(generator.normal(size=(molecules * atoms, 3)), "eV/Å", per_atom=True),
        },
    )


def measure(molecules: int, atoms: int, folder: Path) -> list[dict[str, object]]:
    """Rows of the table; files go to ``folder``."""
    rows: list[dict[str, object]] = []
    path = folder / "structures.h5"

    def timed[T](task: str, function: Callable[[], T], count: int = molecules, size: int = 0) -> T:
        before, start = private(), time.perf_counter()
        result = function()
        seconds = time.perf_counter() - start
        rows.append(
            {
                "task": task,
                "molecules": count,
                "atoms": atoms,
                "seconds": round(seconds, 4),
                "molecules_per_second": round(count / seconds),
                "megabytes_per_second": round(size / seconds / 1e6) if size else "",
                "added_megabytes": round(private() - before, 1),
            }
        )
        return result

    made = synthetic(molecules, atoms)
    size = sum(a.nbytes for a in (made.numbers, made.positions, made.offsets, made.ids, made.references)) + sum(
        column.values.nbytes for column in made.columns.values()
    )
    timed("write hdf5", lambda: storage.write(path, made), size=size)
    mapped = timed("open hdf5 (mapped)", lambda: storage.read(path))
    middle = molecules // 2
    part = timed("slice (mapped)", lambda: mapped[middle : middle + SLICE], SLICE)
    if not isinstance(part.positions, np.memmap):
        raise RuntimeError("a slice of a mapped file was loaded")
    timed("read the slice", lambda: part.positions.sum(), SLICE)
    chosen = np.random.default_rng(1).permutation(molecules)[:SLICE]
    timed("pick at random (mapped)", lambda: mapped[chosen], SLICE)
    timed("find by id", lambda: mapped.index_of(made.ids[chosen]), SLICE)
    whole = timed("read hdf5 (all in memory)", lambda: storage.read(path, mmap=False), size=size)
    if not whole.same_as(made):
        raise RuntimeError("what was read is not what was written")
    some = whole[: min(CHEMISTRY, molecules)]
    timed("closest contacts", lambda: chemistry.closest_contacts(some), len(some))
    timed("bonds", lambda: chemistry.molecule_bonds(some), len(some))
    moved = some.with_positions(some.positions + np.random.default_rng(2).normal(scale=0.1, size=some.positions.shape))
    timed("rmsd", lambda: rmsd(moved, some), len(some))
    few = whole[: min(TEXT, molecules)]
    for name in ("few.xyz", "few.sdf", "few.db"):
        timed(f"write {name[4:]}", lambda name=name: formats.write(folder / name, few), len(few))  # type: ignore[misc]
        timed(f"read {name[4:]}", lambda name=name: formats.read(folder / name).structures(), len(few))  # type: ignore[misc]
    return rows


def private() -> float:
    """Memory of this process that is not shared with a file, in MB; NaN where the system does not tell (other than Linux)."""
    try:
        _, resident, shared, *_ = Path("/proc/self/statm").read_text().split()
    except OSError:
        return float("nan")
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGESIZE") / 1e6


if __name__ == "__main__":
    main()
