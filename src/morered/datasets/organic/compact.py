"""Structures in one small file: coordinates on a grid of 0.001 Å, each atom from the nearest before it.

A grid point is within 0.0005 Å of its coordinate. Of each atom the file keeps how many places before it its nearest earlier atom
stands, and the difference to that one in grid steps: small integers, whatever the size of the molecule, which LZMA packs well.
The file is a ZIP of .npy arrays and texts; provenance and failures are its about.json. Nothing in it is unpickled.

Shapes: M molecules, A atoms (flat).
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morered.files import atomic_path
from morered.resumable import Built
from morered.structures import Column, Structures, as_names

FORMAT = "morered compact structures 1"
#: Å between grid points.
GRID = 1e-3
#: eV between the energies that can be stored.
ENERGY_GRID = 1e-5
_ENERGY = "energy"


def write(path: str | os.PathLike[str], built: Built, provenance: Mapping[str, Any] | None = None) -> None:
    """Write structures with their failures, as `packed`."""
    data = packed(built, provenance)
    with atomic_path(path) as temporary:
        Path(temporary).write_bytes(data)


def packed(built: Built, provenance: Mapping[str, Any] | None = None) -> bytes:
    """A file's content. Equal structures give equal bytes.

    Columns of molecules are kept: texts, whole numbers, ``energy`` on a grid of its own, other numbers in float32.

    Raises
    ------
    ValueError
        If an atom is further than 32 Å along an axis from all before it, or there is a column of atoms.
    """
    structures = built.structures
    back, steps = _encoded(structures)
    arrays: dict[str, NDArray[Any]] = {"sizes": structures.sizes.astype(np.uint16), "numbers": structures.numbers, "back": back}
    for axis, name in enumerate("xyz"):  # high and low bytes apart: the former hardly vary
        arrays[f"{name}.high"] = (steps[:, axis] >> 8).astype(np.int8)
        arrays[f"{name}.low"] = (steps[:, axis] & 255).astype(np.uint8)
    texts = {"names": structures.names}
    units = {}
    for name, column in structures.columns.items():
        if column.per_atom:
            raise ValueError(f"{name} is a column of atoms, and only those of molecules are kept")
        if column.values.dtype.kind == "S":
            texts[name] = [text.decode() for text in column.values.tolist()]
            continue
        units[name] = column.unit
        values = np.rint(column.values / ENERGY_GRID).astype(np.int64) if name == _ENERGY else column.values
        arrays[f"column.{name}"] = values.astype(np.float32) if values.dtype.kind == "f" else values
    about = {"format": FORMAT, "columns": units, "failures": built.failures, **(provenance or {})}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(_entry("about.json"), json.dumps(about, indent=1, ensure_ascii=False))
        for name, lines in texts.items():
            archive.writestr(_entry(f"{name}.txt"), "\n".join(lines))
        for name, values in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(values), allow_pickle=False)
            archive.writestr(_entry(f"{name}.npy"), buffer.getvalue())
    return content.getvalue()


def read(path: str | os.PathLike[str]) -> Built:
    """Read what `write` wrote: coordinates within 0.0005 Å of those written, energies within 5e-6 eV.

    Raises
    ------
    ValueError
        If the file is none of these.
    """
    try:
        return unpacked(Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is {error}") from error


def unpacked(data: bytes) -> Built:
    """What `packed` made; a ValueError if it is none of that."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            about = json.loads(archive.read("about.json"))
            if about["format"] != FORMAT:
                raise ValueError(f"its format is {about['format']!r}")
            files = {name: archive.read(name) for name in archive.namelist()}
        texts = {name[:-4]: text.decode() for name, text in files.items() if name.endswith(".txt")}
        arrays = {
            name[:-4]: np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
            for name, data in files.items()
            if name.endswith(".npy")
        }
        offsets = np.concatenate([[0], np.cumsum(arrays["sizes"], dtype=np.int64)])
        steps = np.stack([(arrays[f"{axis}.high"].astype(np.int64) << 8) | arrays[f"{axis}.low"] for axis in "xyz"], axis=1)
        lines = {name: as_names(text.split("\n") if len(offsets) > 1 else []) for name, text in texts.items()}
        names = lines.pop("names")
        structures = Structures(arrays["numbers"], _decoded(arrays["back"], steps, offsets), offsets, names, names.copy())
        columns = {name: Column(values) for name, values in lines.items()}
        for name, unit in about["columns"].items():
            values = arrays[f"column.{name}"]
            columns[name] = Column(values * ENERGY_GRID if name == _ENERGY else values, unit)
        return Built(structures.with_columns(columns), about["failures"])
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"no file of compact structures: {error}") from error


def _encoded(structures: Structures) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Places back to each atom's nearest earlier atom, [A], 0 for a first one; grid steps from it or the origin, [A, 3]."""
    grid = np.rint(structures.positions / GRID).astype(np.int64)
    back = np.zeros(structures.n_atoms, np.uint8)
    for block in structures.blocks():
        points = structures.positions[block.atoms]  # [B, N, 3]
        for j in range(1, block.atoms.shape[1]):
            first = max(0, j - 255)
            distances = np.linalg.norm(points[:, first:j] - points[:, j, None], axis=-1)
            back[block.atoms[:, j]] = j - first - distances.argmin(axis=1)
    rows = np.arange(structures.n_atoms)
    steps = grid - np.where((back > 0)[:, None], grid[rows - back], 0)
    if steps.size and np.abs(steps).max() >= 1 << 15:
        worst = int(structures.molecule_index[np.abs(steps).max(axis=1).argmax()])
        raise ValueError(f"{structures.names[worst]}: an atom is further than {GRID * (1 << 15):.0f} Å from all before it")
    return back, steps


def _decoded(back: NDArray[np.uint8], steps: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Positions [A, 3] in Å."""
    grid = steps.copy()
    sizes = np.diff(offsets)
    for j in range(1, int(sizes.max(initial=0))):
        rows = offsets[:-1][sizes > j] + j
        grid[rows] += grid[rows - back[rows]]
    positions: NDArray[np.float64] = grid * np.float64(GRID)
    return positions


def _entry(name: str) -> zipfile.ZipInfo:
    """A file of the archive, without the time of writing."""
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_LZMA
    return info
