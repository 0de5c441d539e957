"""The chunks of the dataset ``organic`` as one: duplicates removed, split by skeleton, counted."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from morered import resumable, storage
from morered.datasets import splits
from morered.datasets.duplicates import duplicates
from morered.structures import Structures

#: Minima of one SMILES whose energies (eV) and shapes (Å) differ by less are one minimum that was reached twice.
SAME_ENERGY, SAME_SHAPE = 2e-3, 0.05


def prepare(
    parts: Sequence[str | os.PathLike[str]], minima: str | os.PathLike[str], split: str | os.PathLike[str]
) -> tuple[int, dict[str, str]]:
    """Join chunks, and write minima and split.

    Parameters
    ----------
    parts
        Files of chunks.
    minima, split
        Files to write.

    Returns
    -------
    tuple
        Duplicates removed, and the failures by name.

    Raises
    ------
    ValueError
        If there is no minimum in any chunk.
    """
    built = resumable.Built.concatenate([resumable.load(path) for path in parts])
    if not len(built.structures):
        raise ValueError(f"{minima}: no chunk has a minimum")
    smiles = [text.decode() for text in built.structures.column("smiles").tolist()]
    bare, energies = built.structures.without_columns(), built.structures.column("energy")
    repeated = duplicates(bare, smiles, energies, rmsd_threshold=SAME_SHAPE, energy_threshold=SAME_ENERGY)
    kept = built.structures[~repeated]
    removed = [name.decode() for name in built.structures.ids[repeated].tolist()]
    resumable.save(minima, resumable.Built(kept, built.failures), storage.provenance(prepare, parents=parts, duplicates=removed))
    splits.save(split, split_of(kept))
    return len(removed), built.failures


def split_of(structures: Structures) -> splits.Split:
    """The parts that the choice gave each skeleton. There is no test part: the test sets are files of their own."""
    parts = np.char.decode(structures.column("part"), "ascii")
    names = np.array(structures.names, dtype=object)
    skeletons = [text.decode() for text in structures.column("skeleton").tolist()]
    return splits.Split(
        train=tuple(sorted(names[parts == "train"])),
        validation=tuple(sorted(names[parts == "validation"])),
        test=(),
        graphs=dict(zip(structures.names, skeletons, strict=True)),
    )
