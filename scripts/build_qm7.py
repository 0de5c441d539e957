#!/usr/bin/env python
"""Rebuild src/morered/datasets/data/qm7.h5 and qm7_split.json from the source distribution of qmllib 1.2.0, and check them.

    pip download --no-deps --no-binary :all: qmllib==1.2.0 -d build
    python scripts/build_qm7.py build/qmllib-1.2.0.tar.gz            # writes the files
    python scripts/build_qm7.py build/qmllib-1.2.0.tar.gz --check    # writes nothing; fails if the package's files differ

The archive is checked by its digest. Every printed coordinate has six decimals, so integers of 1e-6 Å keep all that the source
says.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tarfile
from pathlib import Path

import h5py
import numpy as np
from ase.data import atomic_numbers

from morered.datasets import qm7, splits
from morered.datasets.graphs import graphs
from morered.files import atomic_path
from morered.structures import Structures

SHA256 = "7c3d975ed9776b8abec3b7278207c38041731264f734a04f906e6f8ebd106363"
MOLECULES = 7101
UNITS = {"positions": "1e-6 Å", "atomisation_pbe0": "1e-3 kcal/mol", "atomisation_dftb3": "kcal/mol"}
DATA = Path(__file__).resolve().parents[1] / "src" / "morered" / "datasets" / "data"


def parse_xyz(name: str, text: str) -> tuple[list[int], np.ndarray]:
    """Atomic numbers [N] and positions [N, 3] as integers of 1e-6 Å."""
    lines = text.splitlines()
    n_atoms = int(lines[0])
    rows = [line.split() for line in lines[2:] if line.strip()]
    if lines[1].strip() != "charge = 0" or len(rows) != n_atoms or any(len(row) != 4 for row in rows):
        raise SystemExit(f"{name} is not the xyz file that was expected")
    if any(len(word.partition(".")[2]) != 6 for row in rows for word in row[1:]):
        raise SystemExit(f"{name} prints coordinates with other than six decimals")
    return [atomic_numbers[row[0]] for row in rows], np.array(
        [[round(float(x) * qm7.PER_ANGSTROM) for x in row[1:]] for row in rows]
    )


def read_source(archive: Path) -> dict[str, np.ndarray]:
    """The datasets of qm7.h5 from the archive."""
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != SHA256:
        raise SystemExit(f"{archive} has the SHA-256 {digest}, not {SHA256}")
    xyz: dict[str, str] = {}
    energies = ""
    with tarfile.open(archive) as tar:
        for member in tar:
            path = Path(member.name)
            if member.isfile() and path.parent.name == "qm7" and path.suffix == ".xyz":
                xyz[path.name] = tar.extractfile(member).read().decode()  # type: ignore[union-attr]  # a file, as asked above
            elif path.name == "hof_qm7.txt":
                energies = tar.extractfile(member).read().decode()  # type: ignore[union-attr]
    rows = {row[0]: row[1:] for row in map(str.split, energies.splitlines())}
    names = sorted(xyz)
    if len(names) != MOLECULES or sorted(rows) != names:
        raise SystemExit(f"{archive} does not hold the {MOLECULES} molecules and their energies")
    numbers, positions = zip(*(parse_xyz(name, xyz[name]) for name in names), strict=True)
    smiles = graphs(Structures.build(numbers, [x / qm7.PER_ANGSTROM for x in positions], names))
    return {
        "entries": np.array([int(Path(name).stem) for name in names], dtype=np.uint16),
        "numbers": np.concatenate(numbers).astype(np.uint8),
        "positions": np.concatenate(positions).astype(np.int32),
        "sizes": np.array([len(z) for z in numbers], dtype=np.uint8),
        "graphs": np.array([name.encode() for name in smiles]),
        "atomisation_pbe0": np.array([round(float(rows[name][0]) * qm7.PER_KCAL_MOL) for name in names], dtype=np.int32),
        "atomisation_dftb3": np.array([float(rows[name][1]) for name in names]),
    }


def write(path: Path, datasets: dict[str, np.ndarray]) -> None:
    """Write qm7.h5, compressed; the same bytes every time."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w", track_order=False) as file:
        file.attrs["source"] = "qmllib 1.2.0 source distribution (MIT), tests/assets/qm7 and hof_qm7.txt"
        file.attrs["source_sha256"] = SHA256
        for name, values in datasets.items():
            dataset = file.create_dataset(
                name, data=values, compression="gzip", compression_opts=9, shuffle=True, chunks=values.shape, track_times=False
            )
            dataset.attrs["unit"] = UNITS.get(name, "")


def differences(datasets: dict[str, np.ndarray]) -> list[str]:
    """What differs between the source and the package's files."""
    with h5py.File(DATA / "qm7.h5") as file:
        found = [name for name, values in datasets.items() if name not in file or not np.array_equal(file[name][()], values)]
    if qm7.default_split().digest != qm7.split().digest:
        found.append("qm7_split.json")
    return found


def main() -> None:
    """Read the archive, write or check the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path, help="qmllib-1.2.0.tar.gz")
    parser.add_argument("--check", action="store_true", help="compare with the package's files, write nothing")
    arguments = parser.parse_args()
    datasets = read_source(arguments.archive)
    if not arguments.check:
        write(DATA / "qm7.h5", datasets)
        splits.save(DATA / "qm7_split.json", qm7.split())
    if differs := differences(datasets):
        sys.exit(f"the package's files differ from the source: {', '.join(differs)}")
    n_graphs = len(set(datasets["graphs"].tolist()))
    print(f"{len(datasets['sizes'])} molecules, {n_graphs} molecular graphs; split {qm7.default_split().counts()}")


if __name__ == "__main__":
    main()
