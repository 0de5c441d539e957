"""QM7 at PBE0: 7 101 real DFT minima that are embedded in the package.

The molecules are the GDB-13 graphs with up to seven heavy atoms (H, C, N, O, S; 4 to 23 atoms) of QM7, one minimum per entry,
relaxed at PBE0/def2-TZVP: the source distribution of the Python package qmllib 1.2.0 (MIT) carries them as test data.
``data/qm7.md`` tells the provenance, ``scripts/build_qm7.py`` rebuilds the file and checks it. QM7-X starts from the same
graphs.

They are minima of PBE0, where the energies of this project are PBE0+MBD: dispersion alone differs (QM7-X's minima are
DFTB3+MBD), but it does differ, so they are not free of a mismatch. 7 079 graphs are among the 7 101 molecules: the rest are
stereoisomers, conformers and resonance formulas that QM7 counts as molecules of their own; splits keep them together.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

import h5py
import numpy as np

from morered.datasets import splits
from morered.structures import Column, Structures, as_names, offsets_of
from morered.units import EV_PER_KCAL_MOL

#: Molecular graphs of the default split: as many as the paper's for training and validation, the rest for testing.
TRAIN_GRAPHS, VALIDATION_GRAPHS = 4500, 1250

#: Level of theory of the minima, in words.
LEVEL = "minima at PBE0/def2-TZVP, without dispersion"

#: Integers stored for one Å and for one kcal/mol: six and three decimals are what the source prints.
PER_ANGSTROM, PER_KCAL_MOL = 1_000_000, 1000


def load() -> Structures:
    """The minima, ids ``qm7/0001`` to ``qm7/7172`` as numbered in the source, which leaves 71 numbers out.

    Returns
    -------
    Structures
        M = 7101, coordinates as printed in the source. Columns: ``graph`` [M] (canonical SMILES without stereochemistry, UTF-8
        bytes), ``atomisation_energy`` [M] in eV (PBE0, negative where bound) and ``atomisation_energy_dftb3`` [M] in eV.
    """
    structures = _load()
    return Structures(
        structures.numbers.copy(),
        structures.positions.copy(),
        structures.offsets.copy(),
        structures.ids.copy(),
        structures.references.copy(),
        {name: column._replace(values=column.values.copy()) for name, column in structures.columns.items()},
    )


def graphs(structures: Structures) -> list[str]:
    """The graph names of structures from `load`, [M]."""
    return [name.decode() for name in structures.column("graph").tolist()]


def split(train: int = TRAIN_GRAPHS, validation: int = VALIDATION_GRAPHS, seed: int = 0) -> splits.Split:
    """The split by graph; the default one is also stored in the package and is that of the shipped weights (`default_split`)."""
    structures = _load()
    return splits.make(structures.names, graphs(structures), train=train, validation=validation, seed=seed)


def default_split() -> splits.Split:
    """The stored split: 4 500 graphs for training, 1 250 for validation, the rest (1 329 graphs) for testing."""
    with as_file(files("morered.datasets") / "data" / "qm7_split.json") as path:
        return splits.load(path)


@cache
def _load() -> Structures:
    with as_file(files("morered.datasets") / "data" / "qm7.h5") as path, h5py.File(path) as file:
        numbers = np.asarray(file["numbers"], dtype=np.uint8)
        positions = np.asarray(file["positions"], dtype=np.int32) / PER_ANGSTROM
        sizes = np.asarray(file["sizes"], dtype=np.int64)
        entries = np.asarray(file["entries"])
        smiles = np.asarray(file["graphs"], dtype=np.bytes_)
        pbe0 = np.asarray(file["atomisation_pbe0"]) / PER_KCAL_MOL * EV_PER_KCAL_MOL
        dftb3 = np.asarray(file["atomisation_dftb3"]) * EV_PER_KCAL_MOL
    ids = as_names([f"qm7/{entry:04d}" for entry in entries.tolist()])
    columns = {
        "graph": Column(smiles),
        "atomisation_energy": Column(pbe0, "eV"),
        "atomisation_energy_dftb3": Column(dftb3, "eV"),
    }
    return Structures(numbers, positions, offsets_of(sizes), ids, ids.copy(), columns)
