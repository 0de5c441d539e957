"""The one container that crosses module and rule boundaries: ragged molecules, stored flat.

Shapes: M molecules, A atoms of all molecules together.

    numbers     [A]     uint8           atomic numbers, one molecule after another
    positions   [A, 3]  float           Å
    offsets     [M+1]   int64           molecule m owns atoms offsets[m]:offsets[m+1]
    ids         [M]     bytes (S)       stable identity, e.g. b"qm7/0123"
    references  [M]     bytes (S)       id of the minimum a structure belongs to; its own id for a minimum
    columns     dict    name -> Column  further per-molecule or per-atom arrays, each with a unit

Two columns belong to what a molecule is, and are read by `Structures.charges` and `Structures.unpaired`:

    charge      [M]     int, e          total charge
    unpaired    [M]     int             unpaired electrons, the multiplicity less one; 0 where nothing is said

Nothing here loops over molecules in Python except where a caller asks for them one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

ELECTRONIC: dict[str, str] = {"charge": "e", "unpaired": ""}
"""Columns [M] of whole numbers, with their units: how many electrons a molecule has, and how many of them are unpaired."""

Index = int | slice | Sequence[int] | NDArray[np.integer] | NDArray[np.bool_]


class Column(NamedTuple):
    """Values of one property with their unit.

    ``values`` is [M, ...], or [A, ...] where ``per_atom``; ``unit`` is "" for a pure number or a text.
    """

    values: NDArray
    unit: str = ""
    per_atom: bool = False


class Molecule(NamedTuple):
    """One molecule of a `Structures`: its id, numbers [N] and positions [N, 3] in Å."""

    id: str
    numbers: NDArray[np.uint8]
    positions: NDArray[np.floating]


class Block(NamedTuple):
    """Molecules of one size: which they are [B], and their rows in the per-atom arrays [B, N]."""

    molecules: NDArray[np.int64]
    atoms: NDArray[np.int64]


@dataclass(eq=False, repr=False)
class Structures:
    """Ragged molecules stored flat; see the module docstring for the arrays, their shapes and units.

    The arrays may be memory-mapped files: nothing here reads more of them than it must.

    Raises
    ------
    ValueError
        If the arrays do not fit together; the message names the array.
    """

    numbers: NDArray[np.uint8]
    positions: NDArray[np.floating]
    offsets: NDArray[np.int64]
    ids: NDArray[np.bytes_]
    references: NDArray[np.bytes_]
    columns: dict[str, Column] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n_atoms, n_molecules = len(self.numbers), len(self.ids)
        if self.ids.ndim != 1:
            raise ValueError(f"ids must be flat, not {list(self.ids.shape)}")
        if self.numbers.dtype != np.uint8 or self.numbers.ndim != 1:
            raise ValueError(f"numbers must be a flat uint8 array, not {self.numbers.dtype}{list(self.numbers.shape)}")
        if self.positions.dtype.kind != "f":
            raise ValueError(f"positions must be floating-point numbers, not {self.positions.dtype}")
        if self.ids.dtype.kind != "S" or self.references.dtype.kind != "S":
            raise ValueError(f"ids and references must be bytes (as_names), not {self.ids.dtype} and {self.references.dtype}")
        if self.positions.shape != (n_atoms, 3):
            raise ValueError(f"positions must be [{n_atoms}, 3], not {list(self.positions.shape)}")
        if self.offsets.shape != (n_molecules + 1,):
            raise ValueError(f"offsets must be [{n_molecules + 1}], not {list(self.offsets.shape)}")
        if self.offsets.dtype.kind not in "iu":
            raise ValueError(f"offsets must be integers, not {self.offsets.dtype}")
        if self.offsets[0] != 0 or self.offsets[-1] != n_atoms or np.any(self.offsets[1:] < self.offsets[:-1]):
            raise ValueError(f"offsets must run from 0 to {n_atoms} without falling")
        if self.references.shape != (n_molecules,):
            raise ValueError(f"references must be [{n_molecules}], not {list(self.references.shape)}")
        for name, column in self.columns.items():
            self._check_column(name, column)

    # ----------------------------------------------------------------- construction

    @classmethod
    def build(
        cls,
        numbers: Sequence[ArrayLike],
        positions: Sequence[ArrayLike],
        ids: Sequence[str | bytes],
        references: Sequence[str | bytes] | None = None,
    ) -> Self:
        """Join molecules given one by one: numbers [N] and positions [N, 3] (Å) for each.

        >>> water = Structures.build([[8, 1, 1]], [[[0, 0, 0.12], [0, 0.76, -0.48], [0, -0.76, -0.48]]], ["water"])
        >>> water
        Structures(1 molecules, 3 atoms)
        >>> water.sizes.tolist(), water.names
        ([3], ['water'])

        Raises
        ------
        ValueError
            If a molecule's positions do not fit its numbers, or a number is not one of an atom (0 to 255).
        """
        flat = [np.asarray(z).reshape(-1) for z in numbers]
        points = [np.asarray(x, dtype=np.float64).reshape(-1, 3) for x in positions]
        names = as_names(ids)
        if not len(flat) == len(points) == len(names):
            raise ValueError(f"{len(flat)} sets of numbers, {len(points)} of positions and {len(names)} ids")
        sizes = np.array([len(z) for z in flat], dtype=np.int64)
        for name, z, x in zip(names, flat, points, strict=True):
            if len(z) != len(x):
                raise ValueError(f"molecule {name.decode()!r} has {len(z)} numbers and {len(x)} positions")
        joined = np.concatenate([z for z in flat if len(z)] or [np.empty(0, np.uint8)])  # an empty list is a float array
        if len(joined) and (joined.dtype.kind not in "iu" or joined.min() < 0 or joined.max() > 255):
            raise ValueError("atomic numbers must be integers from 0 to 255")
        return cls(
            numbers=joined.astype(np.uint8),
            positions=np.concatenate([*points, np.empty((0, 3))]),
            offsets=offsets_of(sizes),
            ids=names,
            references=names.copy() if references is None else as_names(references),
        )

    @classmethod
    def concatenate(cls, parts: Iterable[Structures], *, common: bool = False) -> Structures:
        """All molecules of ``parts`` in order. Columns must be the same in each part (name, unit, kind).

        A part without ``charge`` or ``unpaired`` where another has it gets zeros: neutral molecules, closed shells.

        Parameters
        ----------
        parts
            In their order.
        common
            Leave out columns that some part lacks. Relaxing the parts of an input makes such: where all molecules of a part
            moved, nothing is left of what belonged to their old geometries.

        Raises
        ------
        ValueError
            If columns differ.
        """
        parts = _with_electronic(list(parts))
        if not parts:
            return cls.build([], [], [])
        names = [name for name in parts[0].columns if not common or all(name in part.columns for part in parts)]
        kinds = [{n: kind for n, kind in _column_kinds(part).items() if not common or n in names} for part in parts]
        for other in kinds[1:]:
            if other != kinds[0]:
                raise ValueError(f"columns differ: {kinds[0]} and {other}")
        return cls(
            numbers=np.concatenate([p.numbers for p in parts]),
            positions=np.concatenate([p.positions for p in parts]),
            offsets=offsets_of(np.concatenate([p.sizes for p in parts])),
            ids=np.concatenate([p.ids for p in parts]),
            references=np.concatenate([p.references for p in parts]),
            columns={
                name: parts[0].columns[name]._replace(values=np.concatenate([p.columns[name].values for p in parts]))
                for name in names
            },
        )

    # ----------------------------------------------------------------- access

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        columns = ", ".join(f"{name} [{column.unit}]" if column.unit else name for name, column in self.columns.items())
        return f"Structures({len(self)} molecules, {self.n_atoms} atoms{'; ' + columns if columns else ''})"

    @property
    def n_atoms(self) -> int:
        """Atoms of all molecules together."""
        return len(self.numbers)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Atoms of each molecule, [M]."""
        return np.diff(self.offsets)

    @property
    def charges(self) -> NDArray[np.int64]:
        """Total charge of each molecule in e, [M]; 0 where there is no column ``charge``.

        Raises
        ------
        ValueError
            If the column does not hold whole numbers.
        """
        return self._whole_numbers("charge")

    @property
    def unpaired(self) -> NDArray[np.int64]:
        """Unpaired electrons of each molecule as stated, [M]; 0 where there is no column ``unpaired``.

        See `morered.electrons` for what 0 means where the number of electrons is odd.

        Raises
        ------
        ValueError
            If the column does not hold whole numbers.
        """
        return self._whole_numbers("unpaired")

    @property
    def names(self) -> list[str]:
        """The ids as text, [M]."""
        return [name.decode() for name in self.ids.tolist()]

    @property
    def molecule_index(self) -> NDArray[np.int64]:
        """The molecule that each atom belongs to, [A]."""
        return np.repeat(np.arange(len(self)), self.sizes)

    def blocks(self, max_rows: int = 1 << 20, per_atom: bool = True) -> Iterator[Block]:
        """Molecules of equal size together, so that a caller works on [B, N, ...] arrays without padding.

        Parameters
        ----------
        max_rows
            A block's size limit: atoms, or pairs of atoms where ``per_atom`` is false. One molecule may exceed it.

        Yields
        ------
        Block
            Sizes ascending, molecules in order. Molecules without atoms are in no block.
        """
        sizes = self.sizes
        for n in np.unique(sizes[sizes > 0]).tolist():
            members = np.flatnonzero(sizes == n)
            count = max(1, max_rows // (n if per_atom else n * n))
            for start in range(0, len(members), count):
                molecules = members[start : start + count]
                yield Block(molecules, self.offsets[molecules][:, None] + np.arange(n))

    def molecule(self, m: int) -> Molecule:
        """Molecule ``m`` as views of the flat arrays."""
        atoms = slice(int(self.offsets[m]), int(self.offsets[m + 1]))
        return Molecule(self.ids[m].decode(), self.numbers[atoms], self.positions[atoms])

    def __iter__(self) -> Iterator[Molecule]:
        return (self.molecule(m) for m in range(len(self)))

    def __getitem__(self, index: Index) -> Structures:
        """The chosen molecules, in the order given (int, slice, indices or mask), columns included."""
        chosen = self._resolve(index)
        sizes = self.sizes[chosen]
        offsets = offsets_of(sizes)
        contiguous = len(chosen) > 0 and np.array_equal(chosen, np.arange(chosen[0], chosen[0] + len(chosen)))
        atoms: slice | NDArray[np.int64]
        if contiguous:  # a view, so that slicing a memory-mapped file reads nothing
            atoms = slice(int(self.offsets[chosen[0]]), int(self.offsets[chosen[-1] + 1]))
        else:
            atoms, _ = gathered(self.offsets, chosen)
        molecules = slice(int(chosen[0]), int(chosen[-1]) + 1) if contiguous else chosen
        return type(self)(
            numbers=self.numbers[atoms],
            positions=self.positions[atoms],
            offsets=offsets,
            ids=self.ids[molecules],
            references=self.references[molecules],
            columns={
                name: column._replace(values=column.values[atoms if column.per_atom else molecules])
                for name, column in self.columns.items()
            },
        )

    def index_of(self, ids: Sequence[str | bytes] | NDArray[np.bytes_]) -> NDArray[np.int64]:
        """Where each of ``ids`` stands in this container, [len(ids)].

        Raises
        ------
        KeyError
            If an id is not there; the message names the first one.
        """
        wanted = as_names(ids)
        order = np.argsort(self.ids, kind="stable")
        found = np.searchsorted(self.ids, wanted, sorter=order)
        if len(self) == 0 and len(wanted):
            raise KeyError(f"no molecule {wanted[0].decode()!r}: there are none")
        position = order[np.minimum(found, len(self) - 1)] if len(wanted) else np.empty(0, np.int64)
        missing = self.ids[position] != wanted if len(wanted) else np.empty(0, bool)
        if np.any(missing):
            raise KeyError(f"no molecule {wanted[missing][0].decode()!r} among {len(self)}")
        return position

    def column(self, name: str) -> NDArray:
        """Values of a column; a KeyError lists the columns there are."""
        try:
            return self.columns[name].values
        except KeyError:
            raise KeyError(f"no column {name!r}; there are: {', '.join(sorted(self.columns)) or 'none'}") from None

    def same_as(self, other: Structures) -> bool:
        """Whether every array is equal, columns with units and kinds included; NaN equals NaN."""
        return (
            np.array_equal(self.numbers, other.numbers)
            and np.array_equal(self.positions, other.positions, equal_nan=True)
            and np.array_equal(self.offsets, other.offsets)
            and np.array_equal(self.ids, other.ids)
            and np.array_equal(self.references, other.references)
            and _column_kinds(self) == _column_kinds(other)
            and all(_same_values(column.values, other.columns[name].values) for name, column in self.columns.items())
        )

    # ----------------------------------------------------------------- derived containers

    def with_columns(self, columns: Mapping[str, Column]) -> Structures:
        """The same molecules (arrays shared) with these columns added or replaced."""
        return type(self)(self.numbers, self.positions, self.offsets, self.ids, self.references, {**self.columns, **columns})

    def without_columns(self) -> Structures:
        """The same molecules (arrays shared) without columns but charge and unpaired electrons, which belong to them."""
        kept = {name: self.columns[name] for name in ELECTRONIC if name in self.columns and not self.columns[name].per_atom}
        return type(self)(self.numbers, self.positions, self.offsets, self.ids, self.references, kept)

    def with_positions(self, positions: NDArray[np.floating]) -> Structures:
        """The same molecules with other positions [A, 3] in Å."""
        return type(self)(self.numbers, positions, self.offsets, self.ids, self.references, dict(self.columns))

    def centred(self) -> Structures:
        """The same molecules with each centre of geometry at the origin."""
        return self.with_positions(self.positions - self.per_molecule_mean(self.positions)[self.molecule_index])

    def per_molecule_sum(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """Sums of per-atom values [A, ...] over each molecule, [M, ...]; 0 for a molecule without atoms."""
        sums = np.zeros((len(self), *values.shape[1:]))
        filled = self.sizes > 0  # reduceat would repeat the neighbour's first atom for an empty molecule
        if filled.any():
            sums[filled] = np.add.reduceat(values, self.offsets[:-1][filled], axis=0, dtype=np.float64)
        return sums

    def per_molecule_mean(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """Means of per-atom values [A, ...] over each molecule, [M, ...]; 0 for a molecule without atoms."""
        counts = np.maximum(self.sizes, 1).reshape(-1, *[1] * (values.ndim - 1))
        return self.per_molecule_sum(values) / counts

    def with_electrons(self, charges: ArrayLike = 0, unpaired: ArrayLike = 0) -> Structures:
        """The same molecules with these total charges (e) and unpaired electrons, [M] or one number for all."""
        given = {"charge": charges, "unpaired": unpaired}
        return self.with_columns(
            {name: Column(np.array(np.broadcast_to(given[name], len(self)), np.int64), unit) for name, unit in ELECTRONIC.items()}
        )

    # ----------------------------------------------------------------- internals

    def _whole_numbers(self, name: str) -> NDArray[np.int64]:
        column = self.columns.get(name)
        if column is None or column.per_atom:  # a column per atom holds partial charges
            return np.zeros(len(self), np.int64)
        values = np.asarray(column.values)
        if values.dtype.kind == "f" and values.ndim == 1 and np.array_equal(values, np.round(values)):
            return values.astype(np.int64)
        if values.dtype.kind not in "iu" or values.ndim != 1:
            raise ValueError(
                f"column {name!r} must hold a whole number for each molecule, not {values.dtype}{list(values.shape)}"
            )
        return values.astype(np.int64)

    def _resolve(self, index: Index) -> NDArray[np.int64]:
        if isinstance(index, (int, np.integer)) and not isinstance(index, bool):
            index = [int(index)]
        if isinstance(index, slice):
            return np.arange(len(self))[index]
        chosen = np.asarray(index)
        if chosen.dtype == bool:
            if chosen.shape != (len(self),):
                raise ValueError(f"a mask must be [{len(self)}], not {list(chosen.shape)}")
            return np.flatnonzero(chosen)
        if chosen.size and chosen.dtype.kind not in "iu":
            raise IndexError(f"molecules are chosen by integers, a mask or a slice, not by {chosen.dtype}")
        chosen = chosen.astype(np.int64).reshape(-1)
        if chosen.size and (chosen.min() < -len(self) or chosen.max() >= len(self)):
            raise IndexError(f"index outside 0..{len(self) - 1}")
        return np.where(chosen < 0, chosen + len(self), chosen)

    def _check_column(self, name: str, column: Column) -> None:
        expected = self.n_atoms if column.per_atom else len(self)
        if len(column.values) != expected:
            kind = "per-atom" if column.per_atom else "per-molecule"
            raise ValueError(f"{kind} column {name!r} must have {expected} rows, not {len(column.values)}")


def offsets_of(sizes: ArrayLike) -> NDArray[np.int64]:
    """Offsets [M+1] of molecules with these numbers of atoms [M]."""
    return np.concatenate([[0], np.cumsum(np.asarray(sizes, dtype=np.int64))]).astype(np.int64)


def gathered(offsets: NDArray[np.int64], chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of a ragged array that belong to the chosen items, in their order, and the offsets of these."""
    sizes = (offsets[1:] - offsets[:-1])[chosen]
    own = offsets_of(sizes)
    return np.repeat(offsets[chosen] - own[:-1], sizes) + np.arange(own[-1]), own


def as_names(names: Sequence[str | bytes] | NDArray) -> NDArray[np.bytes_]:
    """Ids as a fixed-width bytes array [M], UTF-8."""
    if isinstance(names, np.ndarray) and names.dtype.kind == "S":
        return names
    encoded = [name.encode() if isinstance(name, str) else bytes(name) for name in names]
    return np.array(encoded, dtype=np.bytes_) if encoded else np.empty(0, dtype="S1")


def missing(like: Column, structures: Structures) -> Column:
    """A column of the same kind that has no value for these molecules: NaN, an empty text, zero."""
    values = np.zeros((structures.n_atoms if like.per_atom else len(structures), *like.values.shape[1:]), like.values.dtype)
    if np.issubdtype(values.dtype, np.floating):
        values[:] = np.nan
    return like._replace(values=values)


def _with_electronic(parts: list[Structures]) -> list[Structures]:
    """The same containers, each with the electronic columns that any of them has."""
    for name, unit in ELECTRONIC.items():
        if any(name in part.columns for part in parts):
            parts = [
                part if name in part.columns else part.with_columns({name: Column(np.zeros(len(part), np.int64), unit)})
                for part in parts
            ]
    return parts


def _column_kinds(structures: Structures) -> dict[str, tuple[str, bool]]:
    return {name: (c.unit, c.per_atom) for name, c in sorted(structures.columns.items())}


def _same_values(a: NDArray, b: NDArray) -> bool:
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
