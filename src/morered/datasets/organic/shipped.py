"""The minima of the dataset ``organic`` as one small file that ships with the package: one archive of chunks.

The file is a ZIP. ``about.json`` says how the minima were made, ``NOTICE.txt`` where the molecules come from and under which
licences, ``entries.csv`` has all entries, and ``000.zip`` ... hold the minima of one chunk each, in the format of `compact`.
SMILES, kind, part and skeleton of a minimum follow from its entry. A chunk is stored as it is, so that a file with more chunks
begins with the bytes of one with fewer.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from morered.calculators.aimnet2 import weights
from morered.datasets.organic import choice, compact, minima, packages
from morered.datasets.organic.choice import Entry
from morered.files import atomic_path
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
    about = {
        "format": FORMAT,
        "chunks": of,
        "version": minima.VERSION,
        "settings": asdict(minima.Settings()),
        "reference": {"calculator": "aimnet2", "sha256": weights.SHA256},
        "packages": {f"{package.name} {package.version}": package.sha256 for package in packages.PACKAGES},
    }
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("about.json"), json.dumps(about, indent=1, ensure_ascii=False))
        archive.writestr(zipfile.ZipInfo("NOTICE.txt"), packages.notice())
        archive.writestr(zipfile.ZipInfo("entries.csv"), choice.as_text(entries), zipfile.ZIP_LZMA)
        for index, built in chunks:
            columns = {name: column for name, column in built.structures.columns.items() if name not in _OF_ENTRIES}
            bare = built.structures.without_columns().with_columns(columns)
            archive.writestr(zipfile.ZipInfo(f"{index:03d}.zip"), compact.packed(Built(bare, built.failures)))


def about(path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """How the minima were made, and in how many ``chunks`` in all.

    Raises
    ------
    ValueError
        If the file is none of these.
    """
    try:
        with zipfile.ZipFile(path or file()) as archive:
            found: dict[str, Any] = json.loads(archive.read("about.json"))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ValueError(f"{path or file()} holds no organic minima: {error}") from error
    if found.get("format") != FORMAT:
        raise ValueError(f"{path or file()} holds no organic minima: its format is {found.get('format')!r}")
    return found


def indices(path: str | os.PathLike[str] | None = None) -> list[int]:
    """Numbers of the chunks that a file has, the package's own if None."""
    about(path)
    with zipfile.ZipFile(path or file()) as archive:
        return [int(name[:-4]) for name in archive.namelist() if name.endswith(".zip")]


def entries(path: str | os.PathLike[str] | None = None) -> list[Entry]:
    """All entries that the chunks were made of."""
    about(path)
    with zipfile.ZipFile(path or file()) as archive:
        return choice.from_lines(archive.read("entries.csv").decode().splitlines())


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
    with zipfile.ZipFile(path or file()) as archive:
        built = compact.unpacked(archive.read(f"{index:03d}.zip"))
    own = [by_name[name.rpartition("/")[0]] for name in built.structures.names]
    texts = {name: [getattr(entry, name).encode() for entry in own] for name in _OF_ENTRIES}
    columns = {name: Column(np.array(values, dtype=np.bytes_) if values else np.empty(0, "S1")) for name, values in texts.items()}
    return Built(built.structures.with_columns(columns), built.failures)
