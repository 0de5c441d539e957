"""SchNetPack's databases: ASE databases that name their units in the metadata and keep properties as arrays beside the atoms.

SchNetPack's `ASEAtomsData` loads what is written here, texts excepted, which a tensor cannot hold; they lie beside the
properties. Plain ASE databases are read as well.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.db import connect
from numpy.typing import NDArray

from morered.files import atomic_path
from morered.formats.atoms import record_of
from morered.formats.columns import rows_of
from morered.formats.records import Reading, Record
from morered.formats.sources import SourceProblem, label_of, require_file, stem_of
from morered.structures import Structures

_KINDS = "morered"  # metadata: which properties are per atom, and the units of texts
_NAME, _REFERENCE, _TEXTS = "morered_name", "morered_reference", "morered_texts"
_NO_UNIT = "arb. unit"
_LENGTHS = {"ang": 1.0, "angstrom": 1.0, "å": 1.0, "bohr": units.Bohr, "a0": units.Bohr, "nm": units.nm}


def read_schnetpack(source: str | os.PathLike[str]) -> Reading:
    """All molecules of a SchNetPack or ASE database, positions in Å, properties in the units that the database names.

    Raises
    ------
    SourceProblem
        If it is not such a database, holds nothing, or its unit of length is unknown.
    """
    require_file(source)
    label, stem = label_of(source), stem_of(source)
    records: list[Record] = []
    try:
        with connect(os.fspath(source), type="db", use_lock_file=False) as database:
            metadata = database.metadata
            length = _length(str(metadata.get("_distance_unit", "Ang")))
            named = {str(key): _from_unit(unit) for key, unit in metadata.get("_property_unit_dict", {}).items()}
            kinds = metadata.get(_KINDS, {})
            for identity in _identities(database):
                record = Record(f"{stem}/{len(records) + 1}", len(records), label)
                try:
                    record = _record(database.get(id=identity), len(records), label, stem, length, named, kinds)
                except Exception as error:  # what a damaged row holds may make ASE raise anything
                    record.fail(f"its row (id {identity}) is damaged: {type(error).__name__}: {' '.join(str(error).split())}")
                records.append(record)
    except SourceProblem:
        raise
    except Exception as error:
        reason = f"not a database that ASE can read: {' '.join(str(error).split())}"
        if not records:
            raise SourceProblem(reason) from None
        records.append(Record(f"{stem}/{len(records) + 1}", len(records), label))
        records[-1].fail(reason)
    if not records:
        raise SourceProblem("holds no molecule")
    _settle_kinds(records, kinds)
    return Reading(label, records)


def _identities(database: Any) -> list[int]:
    """Ids of the rows in order, so that each is read on its own."""
    with database.managed_connection() as connection:
        return [identity for (identity,) in connection.execute("SELECT id FROM systems ORDER BY id")]


def write_schnetpack(path: str | os.PathLike[str], structures: Structures) -> None:
    """Write a database for SchNetPack, which appears only when it is complete.

    Columns become properties with their units: per molecule [1] or [1, ...], per atom [N, ...], as SchNetPack batches them.

    Raises
    ------
    ValueError
        If the name does not end in .db, by which SchNetPack and ASE know the format.
    """
    if not os.fspath(path).endswith(".db"):
        raise ValueError(f"{path}: a SchNetPack database must be called something.db")
    numeric = {name: column for name, column in structures.columns.items() if column.values.dtype.kind in "biuf"}
    texts = {name: column for name, column in structures.columns.items() if name not in numeric}
    with atomic_path(path) as temporary, connect(os.fspath(temporary), type="db", use_lock_file=False) as database:
        database.metadata = {
            "_property_unit_dict": {name: _to_unit(column.unit) for name, column in numeric.items()},
            "_distance_unit": "Ang",
            "atomrefs": {},
            _KINDS: {
                "per_atom": [name for name, column in structures.columns.items() if column.per_atom],
                "text_units": {name: column.unit for name, column in texts.items()},
            },
        }
        for m, molecule in enumerate(structures):
            info, arrays = rows_of(numeric, structures.offsets, m)
            data: dict[str, Any] = {name: np.asarray(value)[None] for name, value in info.items()} | arrays
            text_info, text_arrays = rows_of(texts, structures.offsets, m)
            data[_NAME], data[_REFERENCE] = molecule.id, structures.references[m].decode()
            if texts:
                data[_TEXTS] = {name: np.asarray(value).tolist() for name, value in (text_info | text_arrays).items()}
            database.write(Atoms(numbers=molecule.numbers, positions=molecule.positions), data=data)


def _record(row: Any, index: int, label: str, stem: str, length: float, named: dict[str, str], kinds: dict[str, Any]) -> Record:
    """One row; properties stay in ``info`` until it is known which are per atom."""
    record = record_of(row.toatoms(), index, label, stem)
    if record.positions is not None:
        record.positions = record.positions * length
    data = dict(row.data)
    record.name = str(data.pop(_NAME, row.key_value_pairs.get("name", record.name)))
    record.reference = data.pop(_REFERENCE, None)
    record.info |= {key: value for key, value in row.key_value_pairs.items() if key != "name"}
    texts = data.pop(_TEXTS, {})
    for name, value in texts.items():
        target = record.arrays if name in kinds.get("per_atom", ()) else record.info
        target[name] = np.asarray(value) if isinstance(value, list) else value
    record.info |= data
    record.units = named | kinds.get("text_units", {})
    return record


def _settle_kinds(records: list[Record], kinds: dict[str, Any]) -> None:
    """Sort the properties of all rows into per-molecule and per-atom ones.

    Our own databases say which is which. In others a property is per atom where its first dimension is the number of atoms in
    every row and that is more than one in some row; a leading dimension of one is SchNetPack's, not the property's.
    """
    declared = kinds.get("per_atom")
    for name in dict.fromkeys(key for record in records for key in record.info):
        rows = [(r, r.info[name]) for r in records if isinstance(r.info.get(name), np.ndarray) and np.ndim(r.info[name])]
        if not rows:
            continue
        if declared is None:
            sizes: list[tuple[int, int]] = [(len(value), _size(r.numbers)) for r, value in rows]
            per_atom = all(n == size for n, size in sizes) and any(size > 1 for _, size in sizes)
        else:
            per_atom = name in declared
        for record, value in rows:
            if per_atom:
                record.arrays[name] = record.info.pop(name)
            elif value.shape[0] == 1:
                record.info[name] = value[0]


def _size(numbers: NDArray[np.uint8] | None) -> int:
    return 0 if numbers is None else len(numbers)


def _length(unit: str) -> float:
    """A unit of length in Å."""
    try:
        return _LENGTHS[unit.lower()]
    except KeyError:
        raise SourceProblem(f"its unit of length is unknown: {unit}") from None


def _to_unit(unit: str) -> str:
    """A unit as SchNetPack spells it."""
    return unit.replace("Å", "Ang") or _NO_UNIT


def _from_unit(unit: str | None) -> str:
    if unit in (None, "", _NO_UNIT):
        return ""
    return str(unit).replace("Angstrom", "Å").replace("Ang", "Å")
