"""The package's own HDF5 files, read as records like any other source."""

from __future__ import annotations

import os

import numpy as np

from morered import storage
from morered.formats.columns import rows_of
from morered.formats.records import Reading, Record
from morered.formats.sources import SourceProblem, label_of, require_file


def read_stored(source: str | os.PathLike[str]) -> Reading:
    """All molecules of one of this package's HDF5 files; for millions of them use `morered.storage.read`.

    Raises
    ------
    SourceProblem
        If the file cannot be read.
    """
    require_file(source)
    label = label_of(source)
    try:
        structures = storage.read(source)
        names = structures.names
    except (storage.StorageError, UnicodeDecodeError) as error:
        raise SourceProblem(str(error).removeprefix(f"{source}: ")) from None
    units = {name: column.unit for name, column in structures.columns.items()}
    records = []
    for m, molecule in enumerate(structures):
        info, arrays = rows_of(structures.columns, structures.offsets, m)
        records.append(
            Record(
                names[m],
                m,
                label,
                numbers=np.array(molecule.numbers),
                positions=np.array(molecule.positions, dtype=np.float64),
                info=info,
                arrays=arrays,
                units=units,
                reference=structures.references[m].decode(),
            )
        )
    if not records:
        raise SourceProblem("holds no molecule")
    return Reading(label, records)
