"""Reading the HDF5 files of QM7-X molecule by molecule; `morered.datasets.qm7x` says what they hold.

Shapes: N atoms of one structure; M structures and A atoms (flat) of one molecule.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from h5py import h5d, h5g, h5s
from numpy.typing import NDArray
from tqdm import tqdm

from morered.datasets.integrity import reading
from morered.structures import Column, Structures, as_names, offsets_of

PREFIX = "qm7x/"
DISPLACED = 100
"""Displaced structures of each minimum."""
METADATA_CACHE = 1 << 20
"""Bytes of an HDF5 file's inside that the library keeps in memory."""
NAME = re.compile(r"Geom-m(\d+)-i(\d+)-c(\d+)-(?:opt|d?([1-9]\d*))")
"""Graph, stereoisomer, conformer and, unless it is a minimum, displacement in the name of a structure: ``-d50``, as the files
have it, or ``-50``, as their description does."""


class Property(NamedTuple):
    """A property of the files: its column, unit and shape per atom (None for one number)."""

    column: str
    unit: str
    row: tuple[int, ...] | None


PROPERTIES = {
    "ePBE0+MBD": Property("energy", "eV", None),
    "ePBE0": Property("energy_pbe0", "eV", None),
    "totFOR": Property("forces", "eV/Å", (3,)),
    "pbe0FOR": Property("forces_pbe0", "eV/Å", (3,)),
    "hRAT": Property("hirshfeld_ratios", "", ()),
    "sRMSD": Property("srmsd", "Å", None),
}
"""Name in the files -> column here. Numbers (``atNUM``) and positions (``atXYZ``, Å) come on top."""


def molecules_of(path: Path, problems: list[str], progress: bool | None) -> Iterator[Structures]:
    """The structures of each molecule of a file in turn; what is wrong is added to the problems."""
    with reading(path, OSError, RuntimeError):
        file = h5py.File(path, "r", locking=False)
    with file:
        with reading(path, OSError, RuntimeError):
            _limit_cache(file)
            names = sorted(file, key=_numerically)
        hidden = None if progress is None else not progress
        for name in tqdm(names, desc=path.name, unit="molecule", disable=hidden):
            wrong: list[str] = []
            records = _records_of(file, name, wrong)
            problems.extend(f"{path}: {problem}" for problem in wrong)
            if records:
                yield _gathered(records)


def _limit_cache(file: h5py.File) -> None:
    """Let the HDF5 library forget early what it knows of the file's inside.

    Its default, 32 MiB as counted on disk, takes ten times that in memory for these millions of tiny datasets, and is no faster.
    """
    config = file.id.get_mdc_config()
    config.set_initial_size = True
    config.initial_size = config.min_size = config.max_size = METADATA_CACHE
    file.id.set_mdc_config(config)


class _Record(NamedTuple):
    """One structure as read: the numbers in its name (displacement 0: minimum), atoms, properties in the order of the table."""

    name: tuple[int, int, int, int]
    numbers: NDArray[np.uint8]
    positions: NDArray[np.float64]
    properties: list[NDArray[np.float64]]


class _BadStructure(Exception):
    """A structure cannot be used; the message says why."""


def _records_of(file: h5py.File, molecule: str, problems: list[str]) -> list[_Record]:
    """The usable structures of one molecule: minima in the order of isomer and conformer, each followed by its displaced ones."""
    try:
        group = file[molecule].id
        families = _families(molecule, list(file[molecule]), problems)
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        problems.append(f"molecule {molecule} cannot be read ({error})")
        return []
    records: list[_Record] = []
    for (m, i, c), members in sorted(families.items()):
        family = f"Geom-m{m}-i{i}-c{c}"
        minimum = _try(group, (m, i, c, 0), members.pop(0, None), None, problems)
        if minimum is None:
            problems.append(f"{family}: without its minimum, {len(members)} displaced structures are left out")
            continue
        records.append(minimum)
        found = [_try(group, (m, i, c, d), name, minimum, problems) for d, name in sorted(members.items())]
        records.extend(record for record in found if record is not None)
        if absent := DISPLACED - len(members):
            problems.append(f"{family}: {absent} of {DISPLACED} displaced structures are missing")
    return records


def _families(molecule: str, names: list[str], problems: list[str]) -> dict[tuple[int, int, int], dict[int, str]]:
    """Structures by minimum: (graph, isomer, conformer) -> displacement -> name."""
    families: dict[tuple[int, int, int], dict[int, str]] = {}
    for name in names:
        match = NAME.fullmatch(name)
        if match is None or match[1] != molecule:
            problems.append(f"{name} in molecule {molecule} is no name of a structure of it")
            continue
        m, i, c, d = (int(number or 0) for number in match.groups())
        first = families.setdefault((m, i, c), {}).setdefault(d, name)
        if first != name:
            problems.append(f"{name} in molecule {molecule} is left out: {first} is the same structure by its name")
    return families


def _try(
    group: Any, numbers: tuple[int, int, int, int], name: str | None, minimum: _Record | None, problems: list[str]
) -> _Record | None:
    """One structure, or None with its problem noted."""
    try:
        if name is None:
            raise _BadStructure("is missing")
        record = _read_record(group, numbers, name)
        if minimum is not None and not np.array_equal(record.numbers, minimum.numbers):
            raise _BadStructure("has other atoms than its minimum")
    except _BadStructure as problem:
        problems.append(f"{_name(numbers)}: {problem}")
        return None
    return record


def _read_record(group: Any, numbers: tuple[int, int, int, int], name: str) -> _Record:
    try:
        structure = h5g.open(group, name.encode())
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise _BadStructure(f"cannot be read ({error})") from None
    elements = _property(structure, "atNUM", None)
    n = len(elements)
    if n == 0 or not np.all((elements >= 1) & (elements <= 118) & (elements == np.rint(elements))):
        raise _BadStructure("property 'atNUM' holds no atomic numbers")
    positions = _property(structure, "atXYZ", (n, 3))
    properties = [_property(structure, key, (1,) if prop.row is None else (n, *prop.row)) for key, prop in PROPERTIES.items()]
    return _Record(numbers, elements.astype(np.uint8), positions, properties)


def _property(structure: Any, name: str, shape: tuple[int, ...] | None) -> NDArray[np.float64]:
    """A property in the shape given (flat where None): (N,), (N, 1) and, for one number, () are all found in such files.

    Through h5py's lower level: its upper one takes three times as long, and there are 30 million properties to read.
    """
    try:
        dataset = h5d.open(structure, name.encode())
        values = np.empty(dataset.shape)
        dataset.read(h5s.ALL, h5s.ALL, values)
    except KeyError:
        raise _BadStructure(f"no property {name!r}") from None
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise _BadStructure(f"property {name!r} cannot be read ({error})") from None
    if shape is None:
        return values.reshape(-1)
    if values.size != math.prod(shape):
        raise _BadStructure(f"property {name!r} has the shape {list(values.shape)}, not {list(shape)}")
    if not np.isfinite(values).all():
        raise _BadStructure(f"property {name!r} is not finite")
    return values.reshape(shape)


def _gathered(records: Sequence[_Record]) -> Structures:
    """Structures of records, with their columns."""
    names = np.array([record.name for record in records], dtype=np.int32)
    columns = {
        prop.column: Column(
            np.concatenate([record.properties[k] for record in records]), prop.unit, per_atom=prop.row is not None
        )
        for k, prop in enumerate(PROPERTIES.values())
    }
    for k, group in enumerate(("molecule", "stereoisomer", "conformer", "displacement")):
        columns[group] = Column(names[:, k])
    columns["minimum"] = Column(names[:, 3] == 0)
    return Structures(
        numbers=np.concatenate([record.numbers for record in records]),
        positions=np.concatenate([record.positions for record in records]),
        offsets=offsets_of([len(record.numbers) for record in records]),
        ids=as_names([PREFIX + _name(record.name) for record in records]),
        references=as_names([PREFIX + _name((*record.name[:3], 0)) for record in records]),
        columns=columns,
    )


def _name(numbers: tuple[int, int, int, int]) -> str:
    m, i, c, d = numbers
    return f"Geom-m{m}-i{i}-c{c}-" + (f"d{d}" if d else "opt")


def _numerically(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() else (1 << 62, name)
