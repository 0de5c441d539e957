"""Files that grow batch by batch. After a kill they are cut to their last complete batch and go on from there."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from types import TracebackType
from typing import BinaryIO, Self

from morered.formats.sources import STDIN as STDOUT
from morered.formats.sources import compressed
from morered.streams import is_gone

if sys.platform != "win32":
    import fcntl


class OutputProblem(Exception):
    """A file that cannot be written or continued; the message is a sentence with its name."""


class GrowingFile:
    """A text file (compressed where its ending says so) that is written at its end; "-" is standard output.

    It is opened, and kept from other runs, as it is; `start` makes it ready.

    Raises
    ------
    OutputProblem
        If it cannot be opened, or another run writes it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.lasting = path != STDOUT and (not os.path.exists(path) or os.path.isfile(path))
        self.position = 0
        try:
            self._file = self._opened()
        except OSError as error:
            raise self._problem(error) from None
        self._lock()

    def start(self, position: int) -> None:
        """Keep so many bytes of what is in the file.

        Raises
        ------
        OutputProblem
            If it has less, or cannot be cut.
        """
        self.position = position
        if not self.lasting:
            return
        try:
            if self._file.seek(0, os.SEEK_END) < position:
                raise OutputProblem(f"{self.path}: is shorter than the unfinished run had made it: it cannot go on")
            self._cut(position)
        except OSError as error:
            raise self._problem(error) from None

    def _opened(self) -> BinaryIO:
        if self.path == STDOUT:
            sys.stdout.flush()
            return sys.stdout.buffer
        flags = os.O_CREAT | os.O_RDWR if self.lasting else os.O_WRONLY
        return os.fdopen(os.open(self.path, flags | getattr(os, "O_CLOEXEC", 0), 0o666), "r+b" if self.lasting else "wb", 0)

    def append(self, text: str) -> None:
        """Add text.

        Raises
        ------
        OutputProblem
            If the disk is full or the like; the file then ends where it did before.
        BrokenPipeError
            If the reader of a pipe has gone.
        """
        if not text:
            return
        content = compressed(self.path, text)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[self._file.write(rest) :]
            if not self.lasting:
                self._file.flush()
        except OSError as error:
            if is_gone(error):
                raise BrokenPipeError from None
            with suppress(OSError):
                self.start(self.position)
            raise self._problem(error) from None
        self.position += len(content)

    def sync(self) -> None:
        """Hand what was written to the disk."""
        if self.lasting:
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                raise self._problem(error) from None

    def close(self) -> None:
        """Let go of the file."""
        if self.path != STDOUT:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _cut(self, size: int) -> None:
        self._file.truncate(size)
        self._file.seek(size)

    def _lock(self) -> None:
        """Keep a second run from the file until this one ends; file systems without locks go without."""
        if sys.platform == "win32" or not self.lasting or not stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise OutputProblem(f"{self.path}: another run writes this file") from None
        except OSError:
            pass

    def _problem(self, error: OSError) -> OutputProblem:
        return OutputProblem(f"{self.path}: cannot be written: {(error.strerror or str(error)).lower()}")
