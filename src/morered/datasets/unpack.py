"""Unpacking as a stream, with the digest of what comes out. Sizes are in bytes."""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from pathlib import Path

from morered.datasets.integrity import BLOCK, DigestError, check_room, hasher, is_whole, mismatch, naming, reading
from morered.datasets.progress import byte_bar
from morered.datasets.sources import Expected
from morered.files import atomic_path


def unpack_xz(archive: Path, destination: Path, expected: Expected, *, progress: bool | None = None) -> Path:
    """Unpack an xz file, checking the size and the digest of what comes out.

    A destination that is there with the right digest is kept. ``progress``: whether to show a bar; None: on a terminal only.

    Raises
    ------
    ArchiveError
        If the archive is damaged, cut short or no xz file; the message names it.
    DigestError
        If it holds something else; the message names the destination, what was expected and what was found.
    DiskError
        If the destination cannot be written. Nothing of it is left in any of these cases.
    """
    archive, destination = Path(archive), Path(destination)
    if is_whole(destination, expected):
        return destination
    destination.parent.mkdir(parents=True, exist_ok=True)
    check_room(destination, expected.bytes)
    with naming(destination, expected.bytes), atomic_path(destination) as temporary:
        digest, size = hasher(expected.algorithm), 0
        with Path(temporary).open("wb") as out, byte_bar(expected.name, expected.bytes, progress) as bar:
            for block in _blocks_of_xz(archive):
                size += len(block)
                if size > expected.bytes:
                    break
                out.write(block)
                digest.update(block)
                bar.update(len(block))
        found = f"{expected.algorithm}:{digest.hexdigest()}"
        if size != expected.bytes or found != expected.digest:
            raise DigestError(f"{mismatch(destination, expected, size, found)} (unpacked from {archive})")
    return destination


def _blocks_of_xz(archive: Path) -> Iterator[bytes]:
    with lzma.open(archive) as packed:
        while True:
            with reading(archive, lzma.LZMAError, EOFError):
                block = packed.read(BLOCK)
            if not block:
                return
            yield block
