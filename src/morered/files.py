"""Writes files that are complete or absent, and computes their digests."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary name near ``path``, moved there when the block ends and removed when the block fails.

    The temporary file has the same name and lies in a folder of its own beside ``path``, which nobody else may enter; missing
    folders are made. Readers see the old file or the new one, never a part. A file that was there keeps its permissions; a new
    one gets those that the process gives new files (umask). A pipe or device (``/dev/stdout``) cannot be replaced and is
    written directly.

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
    folder = _folder_beside(final)
    folder.mkdir(mode=0o700)
    temporary = folder / final.name
    try:
        yield temporary
        if not temporary.exists():
            raise FileNotFoundError(f"nothing was written for {path}")
        _keep_permissions(final, temporary)
        _sync(temporary)
        temporary.replace(final)
        _sync(final.parent)
    finally:  # with what a library put beside it (journals, locks)
        shutil.rmtree(folder, ignore_errors=True)


def _keep_permissions(old: Path, new: Path) -> None:
    """Give a new file the group and the mode of the one that it replaces."""
    with suppress(OSError):  # there is none, or its group is none of ours
        before = old.stat()
        if before.st_gid != new.stat().st_gid:
            os.chown(new, -1, before.st_gid)
    with suppress(FileNotFoundError):
        new.chmod(stat.S_IMODE(old.stat().st_mode))


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
        folder = _folder_beside(final)
        folder.mkdir(mode=0o700)
        folder.rmdir()
    except OSError as error:
        return f"{name}: cannot be written: {(error.strerror or str(error)).lower()}"
    return None


def _folder_beside(final: Path) -> Path:
    """A new name for a folder beside a file, short however long the file's own is."""
    return final.parent / f".{secrets.token_hex(6)}.part"


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
