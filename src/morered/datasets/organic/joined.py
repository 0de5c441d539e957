"""The chunks of the dataset ``organic`` as one: duplicates removed, split by skeleton, counted."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from morered import resumable, storage
from morered.datasets import splits
from morered.metrics.rmsd import rmsd
from morered.structures import Structures

#: Minima of one skeleton whose energies (eV) and shapes (Å) differ by less are one minimum that was reached twice.
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
    repeated = duplicates(built.structures)
    kept = built.structures[~repeated]
    removed = [name.decode() for name in built.structures.ids[repeated].tolist()]
    resumable.save(minima, resumable.Built(kept, built.failures), storage.provenance(prepare, parents=parts, duplicates=removed))
    splits.save(split, split_of(kept))
    return len(removed), built.failures


def duplicates(structures: Structures) -> NDArray[np.bool_]:
    """Which minima were reached before, [M]: the same SMILES, energy and shape as one that stands earlier."""
    smiles, energies = structures.column("smiles").tolist(), structures.column("energy")
    seen: dict[bytes, list[int]] = {}
    repeated = np.zeros(len(structures), dtype=bool)
    bare = structures.without_columns()
    for m, text in enumerate(smiles):
        for k in seen.setdefault(text, []):
            if abs(energies[m] - energies[k]) < SAME_ENERGY and rmsd(bare[[m]], bare[[k]])[0] < SAME_SHAPE:
                repeated[m] = True
                break
        else:
            seen[text].append(m)
    return repeated


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
