"""Where the data come from: one reviewable table, ``data/sources.csv``.

Columns: dataset, version, file, bytes, digest (``md5:...``), the same three for what the file holds once unpacked, and the
primary and the mirror url. A file is what its digest says it is; neither its name nor its existence is trusted.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


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


@cache
def table() -> tuple[Source, ...]:
    """All rows of the table, in its order."""
    text = files("morered.datasets").joinpath("data", "sources.csv").read_text(encoding="utf-8")
    return tuple(_source(row) for row in csv.DictReader(text.splitlines()))


def of_dataset(dataset: str) -> tuple[Source, ...]:
    """The rows of one dataset; a KeyError lists the datasets there are."""
    rows = tuple(source for source in table() if source.dataset == dataset)
    if not rows:
        raise KeyError(f"no dataset {dataset!r}; there are: {', '.join(sorted({source.dataset for source in table()}))}")
    return rows


def of_file(dataset: str, file: str) -> Source:
    """The row of one file of a dataset, found by its name as published or as unpacked; a KeyError lists the files there are."""
    rows = of_dataset(dataset)
    for source in rows:
        if file == source.file.name or (source.unpacked is not None and file == source.unpacked.name):
            return source
    raise KeyError(f"no file {file!r} of {dataset}; there are: {', '.join(source.file.name for source in rows)}")


def _source(row: dict[str, str]) -> Source:
    unpacked = row["unpacked"]
    return Source(
        dataset=row["dataset"],
        version=row["version"],
        file=Expected(row["file"], int(row["bytes"]), row["digest"]),
        unpacked=Expected(unpacked, int(row["unpacked_bytes"]), row["unpacked_digest"]) if unpacked else None,
        urls=tuple(url for url in (row["url"], row["mirror"]) if url),
    )
