"""Structures in HDF5 files that are mapped into memory rather than read.

A file holds the arrays of `Structures` under their own names as contiguous datasets (root: numbers, positions, offsets, ids,
references; group ``columns``: the rest), each with a ``unit`` attribute, columns also with ``per_atom``. The root attributes name
the format and its version and hold the provenance. Any HDF5 reader understands it; `read` only asks where each dataset starts and
maps it there, so a file of millions of molecules opens in milliseconds and a slice reads only its own pages.

Shapes: M molecules, A atoms of all molecules together.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from morered.code_digest import code_of
from morered.files import atomic_path, sha256
from morered.structures import Column, Structures

if TYPE_CHECKING:  # imported where a file is opened: trajectories of a relaxation are mostly not kept
    import h5py

FORMAT = "morered structures"
VERSION = 1
ALIGNMENT = 64
"""Datasets start at multiples of so many bytes: a mapped array is then aligned as one in memory is."""
PIECE = 1 << 25
"""Bytes written at a time."""
_KINDS = "biufcS"  # booleans, numbers, bytes of fixed width: whatever their bytes are, they are only data
_UNCHECKED = 1 << 26  # bytes that a compressed dataset may take in any case, and how many times its size in the file
_MAX_RATIO = 100
_PROVENANCE = "provenance."
_UNITS = {"positions": "Å"}
_SOFTWARE = ("numpy", "scipy", "torch", "ase", "h5py", "rdkit", "schnetpack", "pyscf", "tblite", "openbabel-wheel")


class StorageError(ValueError):
    """A file that is not what it should be; the message is a sentence with the file's name."""


# --------------------------------------------------------------------- structures


def write(
    path: str | os.PathLike[str],
    structures: Structures,
    provenance: Mapping[str, Any] | None = None,
    float32: bool = False,
) -> None:
    """Write structures to one HDF5 file, which appears only when it is complete.

    Equal inputs give equal bytes: no time or host is recorded.

    Parameters
    ----------
    provenance
        What the structures were made from; see `provenance`. Values are kept as JSON.
    float32
        Store positions in single precision (1e-7 of their size); columns keep their own type.

    Raises
    ------
    TypeError
        If a column holds Python objects.
    """
    positions = structures.positions.astype(np.float32) if float32 else structures.positions
    arrays = {
        "numbers": Column(structures.numbers),
        "positions": Column(positions, _UNITS["positions"]),
        "offsets": Column(structures.offsets),
        "ids": Column(structures.ids),
        "references": Column(structures.references),
    }
    write_arrays(path, FORMAT, VERSION, arrays, structures.columns, provenance)


def read(path: str | os.PathLike[str], mmap: bool = True) -> Structures:
    """Structures of a file, as arrays mapped into memory (read-only), or read where ``mmap`` is false.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    StorageError
        If the file is not HDF5, is cut off, lacks a dataset (all that are missing are named), was written by a newer version,
        its arrays do not fit together, or one of them holds anything but numbers and bytes of fixed width, or lies elsewhere.
    """
    arrays, columns = read_arrays(path, FORMAT, VERSION, ("numbers", "positions", "offsets", "ids", "references"), mmap)
    try:
        return Structures(**{name: array.values for name, array in arrays.items()}, columns=columns)
    except ValueError as error:
        raise StorageError(f"{path}: its arrays do not fit together: {error}") from None


# --------------------------------------------------------------------- provenance


def provenance(
    *functions: Callable[..., Any] | str, config: Any = None, parents: Iterable[str | os.PathLike[str]] = (), **extra: Any
) -> dict[str, Any]:
    """What a result was made by and from, for `write`.

    Parameters
    ----------
    functions
        The functions of this package that made it; the sources they reach are kept (see `morered.code_digest`).
    config
        The settings that made it; their digest is kept (see `config_digest`).
    parents
        Files it was made from; their names (relative to the working folder where they lie in it) and SHA-256 are kept.
    extra
        Further entries, kept as they are.

    Raises
    ------
    ValueError
        If no function is named, or one that is not of this package: nobody could tell when the result is stale.
    """
    if not functions:
        raise ValueError("name the functions that made the result, so that `make stale` can tell whether they have changed")
    return {
        "software": software_versions(),
        "code": code_of(*functions),
        "config": None if config is None else config_digest(config),
        "parents": [{"file": _relative(parent), "sha256": sha256(parent)} for parent in parents],
        **extra,
    }


def read_provenance(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The provenance stored in a file's root attributes; raises as `read` does."""
    with _open(path) as file:
        try:
            return {
                key.removeprefix(_PROVENANCE): json.loads(value)
                for key, value in file.attrs.items()
                if key.startswith(_PROVENANCE)
            }
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise StorageError(f"{path}: its provenance cannot be read: {error}") from None


def config_digest(config: Any) -> str:
    """SHA-256 of settings written as JSON with sorted keys, hexadecimal: the same for the same settings in any order."""
    return hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()


def software_versions() -> dict[str, str]:
    """Versions of Python, this package and the libraries that decide numbers, where installed."""
    versions = {"python": platform.python_version()}
    for name in ("morered", *_SOFTWARE):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _relative(path: str | os.PathLike[str]) -> str:
    """Name of a file without what is particular to this machine."""
    absolute = Path(path).resolve()
    return absolute.relative_to(Path.cwd()).as_posix() if absolute.is_relative_to(Path.cwd()) else absolute.name


# --------------------------------------------------------------------- any file of named arrays


def write_arrays(
    path: str | os.PathLike[str],
    kind: str,
    version: int,
    arrays: Mapping[str, Column],
    columns: Mapping[str, Column],
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write arrays (root) and columns (group) with their units as one file of format ``kind``; see the module's docstring."""
    import h5py

    with (
        atomic_path(path) as temporary,
        # No lock: nobody else knows the temporary name.
        h5py.File(temporary, "w", locking=False, alignment_threshold=0, alignment_interval=ALIGNMENT) as file,
    ):
        file.attrs["format"], file.attrs["version"] = kind, version
        for key, value in (provenance or {}).items():
            file.attrs[_PROVENANCE + key] = json.dumps(value, sort_keys=True, default=str)
        for name, array in arrays.items():
            _put(file, name, array)
        group = file.create_group("columns", track_order=True)
        for name, column in columns.items():
            _put(group, _escaped(name), column).attrs["per_atom"] = column.per_atom


def read_arrays(
    path: str | os.PathLike[str], kind: str, version: int, names: Iterable[str], mmap: bool = True, optional: Iterable[str] = ()
) -> tuple[dict[str, Column], dict[str, Column]]:
    """Arrays and columns of a file that `write_arrays` wrote; raises as `read` does."""
    with _open(path) as file:
        try:
            found = file.attrs.get("format")
            if found is not None and str(found) != kind:
                raise StorageError(f"{path}: holds {found}, not {kind}")
            if (number := int(file.attrs.get("version", version))) > version:
                raise StorageError(
                    f"{path}: written in version {number} of its format; this program reads up to version {version}"
                )
            names = list(names)
            if missing := [name for name in names if name not in file.keys()]:  # noqa: SIM118 (`in file` follows links)
                raise StorageError(f"{path}: not a file of {kind}: no dataset {', '.join(missing)}")
            names += [name for name in optional if name in file.keys()]  # noqa: SIM118
            arrays = {name: _column(path, _own(file, name), mmap) for name in names}
            group = _own(file, "columns") if "columns" in file.keys() else {}  # noqa: SIM118
            columns = {_unescaped(name): _column(path, _own(group, name), mmap) for name in group}
        except StorageError:
            raise
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:  # whatever HDF5 stumbles over
            raise StorageError(f"{path}: cannot be read: {error}") from None
    return arrays, columns


def _open(path: str | os.PathLike[str]) -> h5py.File:
    """The file opened for reading, with a sentence in place of the HDF5 library's stack of messages."""
    import h5py

    if not os.path.exists(path):
        raise FileNotFoundError(f"{path}: there is no such file")
    if os.path.isdir(path):
        raise StorageError(f"{path}: is a folder, not a file")
    if os.path.getsize(path) == 0:
        raise StorageError(f"{path}: the file is empty")
    try:
        return h5py.File(path, "r", locking=False)  # files never change once they have their name: no lock is needed
    except PermissionError:
        raise StorageError(f"{path}: may not be read (permission denied)") from None
    except OSError as error:
        if "truncated" in str(error):
            raise StorageError(f"{path}: the file is cut off (it is shorter than it says)") from None
        if not h5py.is_hdf5(path):
            raise StorageError(f"{path}: not an HDF5 file") from None
        raise StorageError(f"{path}: cannot be opened: {error}") from None


def _own(group: h5py.Group, name: str) -> Any:
    """A member of a group that lies in this file.

    Raises
    ------
    ValueError
        If it is a link to somewhere else.
    """
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link, and no link is followed: write the array itself there")
    return group[name]


def _column(path: str | os.PathLike[str], dataset: Any, mmap: bool) -> Column:
    """One dataset, mapped where it lies in one piece; a compressed or chunked one (made by another program) is read.

    Raises
    ------
    ValueError
        If it holds anything but numbers and bytes of fixed width, or does not lie in this file.
    """
    import h5py

    if not isinstance(dataset, h5py.Dataset) or not dataset.shape:
        raise ValueError(f"{getattr(dataset, 'name', 'a member')} is no array")
    if dataset.dtype.kind not in _KINDS:
        raise ValueError(
            f"{dataset.name} holds {_kind_of(dataset.dtype)}; an array here holds numbers, or bytes of fixed width: write texts "
            "as fixed-width bytes (numpy's dtype S)"
        )
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{dataset.name} lies in another file, and only this one is read")
    start, size = dataset.id.get_offset(), dataset.size * dataset.dtype.itemsize
    if start is not None and start + size > os.path.getsize(path):
        raise ValueError(f"{dataset.name} ends beyond the end of the file")
    if start is None and size > max(_UNCHECKED, _MAX_RATIO * dataset.id.get_storage_size()):
        raise ValueError(f"{dataset.name} would take {size / 1e9:.3g} GB of memory, which is not what the file holds of it")
    if mmap and start is not None and dataset.size:
        values: NDArray = np.memmap(path, dtype=dataset.dtype, mode="r", offset=start, shape=dataset.shape)
    else:
        values = dataset[()]
    return Column(values, str(dataset.attrs.get("unit", "")), bool(dataset.attrs.get("per_atom", False)))


def _kind_of(dtype: np.dtype) -> str:
    import h5py

    if dtype.kind == "O":
        return "texts or lists of any length" if h5py.check_vlen_dtype(dtype) or h5py.check_string_dtype(dtype) else "references"
    return "records of several fields" if dtype.names else f"values of type {dtype}"


def _put(parent: h5py.Group, name: str, column: Column) -> h5py.Dataset:
    """One contiguous dataset, written piece by piece: the values may lie on disk and exceed the memory."""
    values = _storable(name, column.values)
    dataset = parent.create_dataset(name, shape=values.shape, dtype=values.dtype)
    rows = max(1, PIECE * values.shape[0] // max(1, dataset.nbytes))
    for start in range(0, values.shape[0], rows):
        dataset[start : start + rows] = values[start : start + rows]
    dataset.attrs["unit"] = column.unit
    return dataset


def _storable(name: str, values: NDArray) -> NDArray:
    """Values as HDF5 keeps them in one piece: text becomes UTF-8 bytes of fixed width."""
    if values.dtype.kind == "U":
        return np.char.encode(values, "utf-8")
    if values.dtype.kind == "O":
        raise TypeError(f"column {name!r} holds Python objects, which a file cannot keep")
    return values


def _escaped(name: str) -> str:
    """A column's name without the slash, which HDF5 would take for a folder."""
    return name.replace("%", "%25").replace("/", "%2F")


def _unescaped(name: str) -> str:
    return name.replace("%2F", "/").replace("%25", "%")
