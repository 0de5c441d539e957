"""Files that are complete or absent, and their digests."""

from __future__ import annotations

import glob
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_KEPT_OF_NAME = 40  # letters, of four bytes each at most


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary name beside ``path``, renamed to it when the block ends and removed when the block fails.

    The temporary name keeps the file name's ending, so that writers which look at it work; missing folders are made. Readers
    see the old file or the new one, never a part. A pipe or device (``/dev/stdout``) cannot be renamed over and is written
    directly.

    Raises
    ------
    FileNotFoundError
        If the block wrote nothing.
    """
    final = Path(os.path.realpath(path))  # through a link, so that the link stays one
    if final.exists() and not final.is_file():
        if final.is_dir():
            raise IsADirectoryError(f"{path} is a folder; a file was to be written there")
        yield final
        return
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(final)
    try:
        yield temporary
        if not temporary.exists():
            raise FileNotFoundError(f"nothing was written for {path}")
        _sync(temporary)
        temporary.replace(final)
        _sync(final.parent)
    finally:  # after the rename there is nothing left but what a library put beside it (journals, locks)
        for left in final.parent.glob(f"{glob.escape(temporary.name)}*"):
            with suppress(OSError):
                left.unlink()


def unwritable(path: str | os.PathLike[str]) -> str | None:
    """Why no file can be written at ``path``, found out by trying beside it; None where it can.

    Unlike `atomic_path` this makes no folders: a folder that is not there is a mistake in the name.
    """
    name = os.fsencode(path).decode("utf-8", "replace")
    final = Path(os.path.realpath(path))
    try:
        if final.is_dir():
            return f"{name}: is a folder, not a file"
        if not final.parent.is_dir():
            return f"{name}: there is no folder {os.fsencode(os.path.dirname(path)).decode('utf-8', 'replace')!r}"
        if os.path.lexists(final):
            if not final.is_file():
                return None  # a pipe or device
        else:
            os.close(os.open(final, os.O_CREAT | os.O_EXCL | os.O_WRONLY))  # the name itself: its length, its letters
            final.unlink()
        temporary = _temporary(final)
        temporary.touch()
        temporary.unlink()
    except OSError as error:
        return f"{name}: cannot be written: {(error.strerror or str(error)).lower()}"
    return None


def _temporary(final: Path) -> Path:
    """A name beside a file with the same ending, and no longer than file systems take however long the file's own is."""
    return final.with_name(f".{secrets.token_hex(6)}-{final.name[-_KEPT_OF_NAME:]}")


def _sync(path: Path) -> None:
    """Hand a file or folder to the disk; file systems that cannot do so for folders are left alone."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
