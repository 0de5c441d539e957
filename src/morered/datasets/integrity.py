"""What makes a file trustworthy (size and digest) and errors that name the file they are about. Sizes are in bytes."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from morered.datasets.sources import Expected

if TYPE_CHECKING:
    from hashlib import _Hash

BLOCK = 1 << 20
"""Bytes read or written at a time."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""System errors that mean: no room for more."""


class DownloadError(RuntimeError):
    """No source gave the file."""


class DigestError(DownloadError):
    """A file is not what its digest says; the message names the file, what was expected and what was found."""


class ArchiveError(RuntimeError):
    """A file is damaged or of another kind; the message names it."""


class DiskError(OSError):
    """A file could not be written; the message names it and says how much room it needs."""


def hasher(algorithm: str) -> _Hash:
    """A new hash object; digests here find damage, they guard no secret."""
    return hashlib.new(algorithm, usedforsecurity=False)


def digest_of(path: Path, algorithm: str = "md5") -> str:
    """The digest of a file as ``algorithm:hexadecimal``."""
    with Path(path).open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, lambda: hasher(algorithm)).hexdigest()}"


def is_whole(path: Path, expected: Expected) -> bool:
    """Whether a file is there with the right size and digest (all of it is read where the size is right)."""
    path = Path(path)
    return path.is_file() and path.stat().st_size == expected.bytes and digest_of(path, expected.algorithm) == expected.digest


def verify(path: Path, expected: Expected) -> None:
    """Check the size and the digest of a file.

    Raises
    ------
    DigestError
        If either is wrong; the message names the file, what was expected and what was found.
    """
    size, found = Path(path).stat().st_size, digest_of(path, expected.algorithm)
    if size != expected.bytes or found != expected.digest:
        raise DigestError(mismatch(path, expected, size, found))


def mismatch(path: Path, expected: Expected, size: int, found: str) -> str:
    """The sentence about a file that is not what it should be."""
    return f"{path}: expected {expected.bytes} bytes with {expected.digest}, found {size} bytes with {found}"


@contextmanager
def reading(path: Path, *damaged: type[Exception]) -> Iterator[None]:
    """Turn what a damaged file raises while it is read into an `ArchiveError` that names it."""
    try:
        yield
    except damaged as error:
        raise ArchiveError(f"{path}: unreadable ({error or type(error).__name__})") from error


@contextmanager
def naming(path: Path, needed: int | None) -> Iterator[None]:
    """Turn a full disk, quota or file size limit into a `DiskError` that names the file and, where known, the room it needs."""
    try:
        yield
    except DiskError:
        raise
    except (OSError, RuntimeError) as error:
        if (full := _full(error)) is None:
            raise
        _no_room(path, needed, full)


def _full(error: BaseException | None) -> OSError | None:
    """The full disk behind an error: HDF5 reports another one when it then cannot close the file."""
    while error is not None and not (isinstance(error, OSError) and error.errno in FULL):
        error = error.__context__
    return error


def check_room(path: Path, needed: int) -> None:
    """Refuse to start writing a file that cannot fit.

    Raises
    ------
    DiskError
        If fewer than ``needed`` bytes are free where ``path`` will lie.
    """
    if shutil.disk_usage(Path(path).parent).free < needed:
        _no_room(path, needed, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


def _no_room(path: Path, needed: int | None, error: OSError) -> NoReturn:
    free = shutil.disk_usage(Path(path).parent).free
    room = f"{free} bytes are free" if needed is None else f"{needed} bytes more are needed, {free} are free"
    number = error.errno or errno.ENOSPC
    raise DiskError(number, f"{os.strerror(number)}: {room}", str(path)) from error
