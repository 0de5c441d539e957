"""Where the data come from: one reviewable table, ``data/sources.csv``.

Columns: dataset, version, file, bytes, digest (``md5:...``), the same three for what the file holds once unpacked, and the
primary and the mirror url. A file is what its digest says it is; neither its name nor its existence is trusted.
"""

from __future__ import annotations

import csv
import hashlib
import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

COLUMNS = ("dataset", "version", "file", "bytes", "digest", "unpacked", "unpacked_bytes", "unpacked_digest", "url", "mirror")


@dataclass(frozen=True)
class Expected:
    """What a file must be: its name, size in bytes and digest (``algorithm:hexadecimal``)."""

    name: str
    bytes: int
    digest: str

    @property
    def algorithm(self) -> str:
        """Name of the hash algorithm of the digest."""
        return self.digest.partition(":")[0]


@dataclass(frozen=True)
class Source:
    """One row of the table: a file of a dataset, what it unpacks to (None where it is used as it is) and its urls, best first."""

    dataset: str
    version: str
    file: Expected
    unpacked: Expected | None
    urls: tuple[str, ...]


def table(path: str | os.PathLike[str] | None = None) -> tuple[Source, ...]:
    """All rows of the package's table, or of another one of the same form (a mirror, a test server), in its order.

    Raises
    ------
    ValueError
        If a column is missing, a size is no number or a digest names no algorithm; the message names file and line.
    """
    place = files("morered.datasets").joinpath("data", "sources.csv") if path is None else Path(path)
    reader = csv.DictReader(place.read_text(encoding="utf-8").splitlines())
    if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
        raise ValueError(f"{place}: no table of sources: no column {', '.join(missing)}")
    rows = []
    for row in reader:
        try:
            rows.append(_source(row))
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{place}, line {reader.line_num}: {error}") from None
    return tuple(rows)


def of_dataset(dataset: str, path: str | os.PathLike[str] | None = None) -> tuple[Source, ...]:
    """The rows of one dataset; a KeyError lists the datasets there are."""
    rows = tuple(source for source in table(path) if source.dataset == dataset)
    if not rows:
        raise KeyError(f"no dataset {dataset!r}; there are: {', '.join(sorted({source.dataset for source in table(path)}))}")
    return rows


def of_file(dataset: str, file: str, path: str | os.PathLike[str] | None = None) -> Source:
    """The row of one file of a dataset, found by its name as published or as unpacked; a KeyError lists the files there are."""
    rows = of_dataset(dataset, path)
    for source in rows:
        if file == source.file.name or (source.unpacked is not None and file == source.unpacked.name):
            return source
    raise KeyError(f"no file {file!r} of {dataset}; there are: {', '.join(source.file.name for source in rows)}")


def _source(row: dict[str, str]) -> Source:
    return Source(
        dataset=row["dataset"],
        version=row["version"],
        file=_expected(row["file"], row["bytes"], row["digest"]),
        unpacked=_expected(row["unpacked"], row["unpacked_bytes"], row["unpacked_digest"]) if row["unpacked"] else None,
        urls=tuple(url for url in (row["url"], row["mirror"]) if url),
    )


def _expected(name: str, size: str, digest: str) -> Expected:
    algorithm, _, value = digest.partition(":")
    if algorithm not in hashlib.algorithms_available or not value:
        raise ValueError(f"{digest!r} of {name} is no digest: it should read like md5:... or sha256:...")
    return Expected(name, int(size), digest)
