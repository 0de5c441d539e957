"""What the writers of texts put beside a molecule's atoms: its columns, and what its source said of it, under possible names.

Shapes: N atoms of one molecule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morered.formats.columns import UNITS, renamed, rows_of
from morered.formats.records import Carried
from morered.structures import ELECTRONIC, Structures

_RESULTS = ("energy", "forces")  # a method's: where it has none there is nothing to write


@dataclass(frozen=True)
class Row:
    """Values of one molecule by the names they are written under: per molecule, per atom [N, ...], their units where a reader
    would not know them, and for some of the first the text they are written as.
    """

    info: dict[str, Any]
    arrays: dict[str, NDArray]
    units: dict[str, str]
    texts: dict[str, str]


def rows(
    structures: Structures,
    carried: Mapping[str, Carried],
    allowed: Callable[[str, bool], bool],
    forbidden: str = "",
    columns: bool = True,
) -> Iterator[Row]:
    """The values of each molecule in order; a column stands above what was carried under its name.

    Parameters
    ----------
    structures
        M molecules.
    carried
        What their sources said of them, by id.
    allowed, forbidden
        See `morered.formats.columns.renamed`.
    columns
        Whether the columns are written. Charges and unpaired electrons are either way, where they are not 0.
    """
    kept = {
        name: column
        for name, column in structures.columns.items()
        if 0 not in column.values.shape[1:] and (columns or name in ELECTRONIC)
    }
    given = [values for name in structures.names if (values := carried.get(name))]
    keys, atom_keys = (
        renamed(
            dict.fromkeys(
                [*(name for name, column in kept.items() if column.per_atom == per_atom)]
                + [name for values in given for name in (values.arrays if per_atom else values.info)]
            ),
            lambda name, per_atom=per_atom: allowed(name, per_atom),  # type: ignore[misc]
            forbidden,
        )
        for per_atom in (False, True)
    )
    for m, name in enumerate(structures.names):
        own_info, own_arrays = (
            {key: value for key, value in own.items() if not _says_nothing(key, value)}
            for own in rows_of(kept, structures.offsets, m)
        )
        size = int(structures.offsets[m + 1] - structures.offsets[m])
        source = carried.get(name, _NOTHING)
        info = {key: value for key, value in source.info.items() if key not in own_info}
        arrays = {
            key: value
            for key, value in source.arrays.items()
            if key not in own_arrays and len(value) == size and 0 not in np.shape(value)[1:]
        }
        units = {keys[key]: source.units.get(key, UNITS.get(key, "")) for key in info}
        units |= {atom_keys[key]: source.units.get(key, UNITS.get(key, "")) for key in arrays}
        units |= {keys[key]: kept[key].unit for key in own_info} | {atom_keys[key]: kept[key].unit for key in own_arrays}
        yield Row(
            {keys[key]: value for key, value in (info | own_info).items()},
            {atom_keys[key]: value for key, value in (arrays | own_arrays).items()},
            {key: unit for key, unit in units.items() if unit != UNITS.get(key, "")},
            {keys[key]: source.texts[key] for key in info if key in source.texts},
        )


_NOTHING = Carried()


def _says_nothing(name: str, value: Any) -> bool:
    """Whether a column's value is none: a result that there is not, or electrons of which nothing was said."""
    if name in ELECTRONIC:
        return not np.any(value)
    return name in _RESULTS and _absent(value)


def _absent(value: Any) -> bool:
    array = np.asarray(value)
    return array.dtype.kind == "f" and array.size > 0 and bool(np.isnan(array).all())
