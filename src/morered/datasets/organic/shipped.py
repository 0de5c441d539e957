"""The minima of the dataset ``organic`` as one small file that ships with the package: one archive of chunks.

The file is an `archive`. ``entries.csv`` has all entries, and ``000.zip`` ... hold the minima of one chunk each, in the format of
`compact`. SMILES, kind, part and skeleton of a minimum follow from its entry.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from morered.datasets.organic import archive, choice, compact, minima, packages
from morered.datasets.organic.choice import Entry
from morered.resumable import Built
from morered.structures import Column

FORMAT = "morered organic minima 1"
#: Columns that follow from the entries.
_OF_ENTRIES = ("smiles", "kind", "part", "skeleton")


def file() -> Path:
    """The file of the package."""
    return Path(str(files("morered.datasets") / "data/organic.zip"))


def write(
    path: str | os.PathLike[str],
    entries: Sequence[Entry],
    chunks: Iterable[tuple[int, Built]],
    of: int,
) -> None:
    """Write chunks in the order given; equal ones give equal bytes.

    Parameters
    ----------
    path
        File to write.
    entries
        All entries, those of chunks that are missing too.
    chunks
        Number of a chunk, and its minima as `minima.build` gives them at its default settings.
    of
        How many chunks there are in all.
    """
    made = {
        "chunks": of,
        "version": minima.VERSION,
        "packages": {f"{package.name} {package.version}": package.sha256 for package in packages.PACKAGES},
    }

    def members() -> Iterator[tuple[str, bytes | str, int]]:
        yield "entries.csv", choice.as_text(entries), zipfile.ZIP_LZMA
        for index, built in chunks:
            columns = {name: column for name, column in built.structures.columns.items() if name not in _OF_ENTRIES}
            bare = built.structures.without_columns().with_columns(columns)
            yield f"{index:03d}.zip", compact.packed(Built(bare, built.failures)), zipfile.ZIP_STORED

    archive.write(path, FORMAT, made, members())


def about(path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """How the minima were made, and in how many ``chunks`` in all.

    Raises
    ------
    ValueError
        If the file is none of these.
    """
    return archive.about(path or file(), FORMAT, "organic minima")


def require(settings: Mapping[str, Any], path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """What `about` says, if a dataset of these settings (``molecules``, ``entries``, ``chunks``) is the one that ships.

    Raises
    ------
    ValueError
        If it is another.
    """
    found = about(path)
    if settings["molecules"] != "lists":
        raise ValueError(f"no minima of molecules: {settings['molecules']} ship: set minima to packages, and they are made")
    if settings["entries"] is not None or settings["chunks"] != found["chunks"]:
        raise ValueError(f"the minima that ship are of all entries in {found['chunks']} chunks: set chunks, leave entries out")
    return found


def indices(path: str | os.PathLike[str] | None = None) -> list[int]:
    """Numbers of the chunks that a file has, the package's own if None."""
    about(path)
    with zipfile.ZipFile(path or file()) as content:
        return [int(name[:-4]) for name in content.namelist() if name.endswith(".zip")]


def entries(path: str | os.PathLike[str] | None = None) -> list[Entry]:
    """All entries that the chunks were made of."""
    about(path)
    with zipfile.ZipFile(path or file()) as content:
        return choice.from_lines(content.read("entries.csv").decode().splitlines())


def chunks(path: str | os.PathLike[str] | None = None) -> Iterator[tuple[int, Built]]:
    """Number and minima of each chunk of a file, the package's own if None; columns as `minima.build` gives them."""
    by_name = {entry.name: entry for entry in entries(path)}
    for index in indices(path):
        yield index, _read(index, path, by_name)


def load(index: int, path: str | os.PathLike[str] | None = None) -> Built:
    """The minima of one chunk, as `chunks` gives them.

    Raises
    ------
    ValueError
        If the file has no such chunk, or is none of these.
    """
    if index not in indices(path):
        raise ValueError(f"{path or file()} has no chunk {index}")
    return _read(index, path, {entry.name: entry for entry in entries(path)})


def _read(index: int, path: str | os.PathLike[str] | None, by_name: Mapping[str, Entry]) -> Built:
    with zipfile.ZipFile(path or file()) as content:
        built = compact.unpacked(content.read(f"{index:03d}.zip"))
    own = [by_name[name.rpartition("/")[0]] for name in built.structures.names]
    texts = {name: [getattr(entry, name).encode() for entry in own] for name in _OF_ENTRIES}
    columns = {name: Column(np.array(values, dtype=np.bytes_) if values else np.empty(0, "S1")) for name, values in texts.items()}
    return Built(built.structures.with_columns(columns), built.failures)
