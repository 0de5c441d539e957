"""From the values that records carry to columns with a row for each molecule or atom, and the units of well-known ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from morered.formats import values as texts
from morered.structures import ELECTRONIC, Column

UNITS: dict[str, str] = {
    "energy": "eV",
    "free_energy": "eV",
    "forces": "eV/Å",
    "dipole": "e Å",
    "charges": "e",
    "initial_charges": "e",
    "masses": "u",
}
"""Units of properties as ASE names them, for files that do not say."""


class Values(Protocol):
    """The part of a record that columns are made from."""

    numbers: NDArray[np.uint8] | None
    info: dict[str, Any]
    arrays: dict[str, NDArray]
    units: dict[str, str]


def columns_of(records: Sequence[Values], source: str) -> tuple[dict[str, Column], list[str]]:
    """Columns of all records, and a sentence for each value that cannot be one.

    Where only some records have a value, the others get NaN (whole numbers and truth values become floats then) or an empty text;
    where some values are numbers and some are texts, all become texts. Charges and unpaired electrons are none of these columns.
    """
    columns: dict[str, Column] = {}
    notes: list[str] = []
    for per_atom in (False, True):
        carried = [record.arrays if per_atom else record.info for record in records]
        for name in dict.fromkeys(key for values in carried for key in values if per_atom or key not in ELECTRONIC):
            column = _joined([values.get(name) for values in carried], records if per_atom else None)
            if column is None:
                notes.append(f"{source}: '{name}' is left out: its values do not make a column")
            elif name in columns:
                notes.append(f"{source}: '{name}' is given per molecule and per atom: the values per atom are left out")
            else:
                columns[name] = Column(column, _unit(name, records), per_atom)
    return columns, notes


def rows_of(columns: Mapping[str, Column], offsets: NDArray[np.int64], m: int) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """Values of molecule ``m``: per molecule (numpy scalars, arrays, texts) and per atom [N, ...]."""
    info: dict[str, Any] = {}
    arrays: dict[str, NDArray] = {}
    for name, column in columns.items():
        if column.per_atom:
            values = np.asarray(column.values[offsets[m] : offsets[m + 1]])
            arrays[name] = np.char.decode(values, "utf-8", "replace") if values.dtype.kind == "S" else values
        else:
            value = column.values[m]
            if isinstance(value, bytes):
                info[name] = value.decode("utf-8", "replace")
            elif isinstance(value, np.ndarray) and value.dtype.kind == "S":
                info[name] = np.char.decode(value, "utf-8", "replace")
            else:
                info[name] = value if np.ndim(value) == 0 else np.asarray(value)
    return info, arrays


def renamed(names: Iterable[str], allowed: Callable[[str], bool], forbidden: str = "") -> dict[str, str]:
    """Names that a format can hold, by the names given: ``forbidden`` characters become _, and _ is added to what is not allowed.

    A name must not stop a result from being written.
    """
    names = dict.fromkeys(names)
    found: dict[str, str] = {}
    taken: set[str] = set()
    table = str.maketrans(dict.fromkeys(forbidden, "_"))
    for name in names:
        new = name.translate(table)
        while not new or not allowed(new) or new in taken or (new != name and new in names):
            # A name that is taken by its beginning ("atom.dprop.x") stays so whatever follows
            new = f"{new}_" if allowed(f"{new}_") else f"_{new}"
        found[name] = new
        taken.add(new)
    return found


def atom_text(text: str) -> str:
    """A per-atom text as one word: blanks become _, as does an empty one."""
    return "_".join(text.split()) or "_"


def units_of(columns: Mapping[str, Column]) -> dict[str, str]:
    """Units of the columns that have one, those left out that a reader knows by the column's name."""
    return {name: column.unit for name, column in columns.items() if column.unit != UNITS.get(name, "")}


def _unit(name: str, records: Sequence[Values]) -> str:
    return next((record.units[name] for record in records if name in record.units), UNITS.get(name, ""))


def _joined(values: Sequence[Any], atoms_of: Sequence[Values] | None) -> NDArray | None:
    """Values (None where missing) as one array [M, ...] or, with ``atoms_of``, [A, ...]; None if they do not fit together."""
    arrays = [None if value is None else _array(value) for value in values]
    known = [array for array in arrays if array is not None]
    if any(array.dtype.kind not in "biufcS" for array in known):
        return None
    kinds = {array.dtype.kind == "S" for array in known}
    if len(kinds) > 1 and not any(array.ndim for array in known):
        arrays = [
            None if value is None else _array(value if isinstance(value, str) else texts.text_of(value)) for value in values
        ]
        known = [array for array in arrays if array is not None]
    elif len(kinds) != 1:
        return None
    if atoms_of is None:
        arrays = [None if array is None else array[None] for array in arrays]
        counts = [1] * len(arrays)
    else:
        counts = [0 if record.numbers is None else len(record.numbers) for record in atoms_of]
    shapes = {array.shape[1:] for array in arrays if array is not None}
    if len(shapes) != 1 or any(a is not None and len(a) != n for a, n in zip(arrays, counts, strict=True)):
        return None
    dtype = np.result_type(*(array.dtype for array in known))
    if len(known) < len(arrays) and dtype.kind in "biu":
        dtype = np.dtype(np.float64)
    missing = b"" if dtype.kind == "S" else np.nan
    tail = shapes.pop()
    filled = [np.full((n, *tail), missing, dtype) if a is None else a.astype(dtype) for a, n in zip(arrays, counts, strict=True)]
    return np.concatenate(filled)


def _array(value: Any) -> NDArray:
    """A value as numbers, truth values or UTF-8 bytes; of kind O where it is none of these."""
    try:
        array = np.asarray(value)
    except ValueError:  # a ragged list
        return np.asarray(None)
    return np.char.encode(array, "utf-8", "replace") if array.dtype.kind == "U" else array
