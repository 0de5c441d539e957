"""Structures collected piece by piece on disk, for datasets that do not fit into memory.

Pieces are appended to unnamed temporary files beside the result, which vanish with the process however it ends; `write`
streams them from there into one file of `morered.storage`. Shapes: M molecules, A atoms (flat), both of all pieces together.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Self, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from morered import storage
from morered.datasets.integrity import naming
from morered.structures import Column, Structures, offsets_of

ID_WIDTH = 64
"""Bytes kept for an id while the longest is not known."""


class GrowingStructures:
    """Growing structures on disk; a context manager.

    Every piece must have the same columns, with the same types. Memory does not grow with what is appended, except for 8 bytes a
    molecule while `write` runs.

    Parameters
    ----------
    path
        Where `write` puts the file.
    float32
        Keep positions and per-atom columns in single precision; what belongs to molecules (energies) stays as it is.

    Raises
    ------
    DiskError
        If the disk fills up; the message names the file to be written.
    """

    def __init__(self, path: str | os.PathLike[str], float32: bool = False):
        self.path, self.float32 = Path(path), float32
        self.molecules = self.atoms = 0
        self._arrays: dict[str, _Growing] = {}
        self._columns: dict[str, tuple[str, bool]] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def append(self, piece: Structures) -> None:
        """Add molecules at the end.

        Raises
        ------
        ValueError
            If the columns differ from those of the first piece, or an id is longer than `ID_WIDTH`.
        """
        columns = {name: (column.unit, column.per_atom) for name, column in piece.columns.items()}
        if self._columns is None:
            self._columns = columns
        elif columns != self._columns:
            raise ValueError(f"{self.path}: columns differ: {self._columns} and {columns}")
        with naming(self.path, None):
            self._add("numbers", piece.numbers)
            self._add("positions", self._rounded(piece.positions))
            self._add("sizes", piece.sizes)
            self._add("ids", _fixed_width(piece.ids))
            self._add("references", _fixed_width(piece.references))
            for name, column in piece.columns.items():
                self._add(f"column {name}", self._rounded(column.values) if column.per_atom else column.values)
        self.molecules += len(piece)
        self.atoms += piece.n_atoms

    def write(self, provenance: Mapping[str, Any] | None = None) -> None:
        """Write everything to the path given, as `morered.storage.write` would."""
        if self._columns is None:
            self.append(Structures.build([], [], []))
        for name in ("ids", "references"):
            self._arrays[name].narrow()
        arrays = {
            "numbers": self._column("numbers"),
            "positions": self._column("positions", "Å"),
            "offsets": Column(offsets_of(self._arrays["sizes"][:])),
            "ids": self._column("ids"),
            "references": self._column("references"),
        }
        columns = {name: self._column(f"column {name}", *kind) for name, kind in (self._columns or {}).items()}
        with naming(self.path, None):
            storage.write_arrays(self.path, storage.FORMAT, storage.VERSION, arrays, columns, provenance)

    def _column(self, name: str, unit: str = "", per_atom: bool = False) -> Column:
        return Column(cast(NDArray, self._arrays[name]), unit, per_atom)  # what writing needs of an array: shape, dtype, slices

    def _rounded(self, values: NDArray) -> NDArray:
        return values.astype(np.float32) if self.float32 and values.dtype == np.float64 else values

    def _add(self, name: str, values: NDArray) -> None:
        if name not in self._arrays:
            file = self._stack.enter_context(tempfile.TemporaryFile(dir=self.path.parent))  # noqa: SIM115 (the stack closes it)
            self._arrays[name] = _Growing(file, values.dtype, values.shape[1:])
        self._arrays[name].append(values)


class _Growing:
    """One array [rows, ...] that grows at the end of a file; slices are read from there."""

    def __init__(self, file: IO[bytes], dtype: DTypeLike, row: tuple[int, ...]):
        self.file, self.kept, self.row, self.rows = file, np.dtype(dtype), row, 0
        self.dtype = self.kept

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.rows, *self.row)

    def append(self, values: NDArray) -> None:
        if values.dtype != self.kept or values.shape[1:] != self.row:
            raise ValueError(f"rows of {values.dtype}{list(values.shape[1:])} after {self.kept}{list(self.row)}")
        self.file.write(np.ascontiguousarray(values).data)
        self.rows += len(values)

    def narrow(self) -> None:
        """Give out text no wider than the longest there is."""
        pieces = (self[start : start + 100_000] for start in range(0, self.rows, 100_000))
        width = max((int(np.char.str_len(piece).max()) for piece in pieces), default=1)
        self.dtype = np.dtype(f"S{max(width, 1)}")

    def __getitem__(self, rows: slice) -> NDArray:
        start, stop, _ = rows.indices(self.rows)
        row_bytes = self.kept.itemsize * int(np.prod(self.row, dtype=np.int64))
        self.file.flush()
        self.file.seek(start * row_bytes)
        content = self.file.read((stop - start) * row_bytes)
        self.file.seek(0, os.SEEK_END)
        return np.frombuffer(content, dtype=self.kept).reshape(-1, *self.row).astype(self.dtype, copy=False)


def _fixed_width(names: NDArray[np.bytes_]) -> NDArray[np.bytes_]:
    if len(names) and (longest := max(names.tolist(), key=len)) and len(longest) > ID_WIDTH:
        raise ValueError(f"an id of more than {ID_WIDTH} bytes: {longest.decode()}")
    return names.astype(f"S{ID_WIDTH}")
