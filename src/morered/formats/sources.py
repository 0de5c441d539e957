"""Text from files (plain, gzip, bzip2, xz) and standard input, to files and standard output."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from morered.files import atomic_path
from morered.streams import write_output

STDIN = "-"
_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_PACKED = ((b"\x1f\x8b", ".gz"), (b"BZh", ".bz2"), (b"\xfd7zXZ", ".xz"))  # how such content begins
_NO_TEXT = re.compile("[\0-\x08\x0e-\x1f\N{REPLACEMENT CHARACTER}]")
_STRAY_SHARE = 0.05  # of the characters: with more of these it is no text with a slip in it
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


_PIECE = 1 << 20  # bytes unpacked at a time

#: Bytes that a compressed file may unpack to unless more are allowed: a few kilobytes can be made to unpack to any size.
MAX_UNPACKED = 2_000_000_000

#: Characters of one line of a file that is read line by line.
MAX_LINE = 4_000_000


class SourceProblem(Exception):
    """What is wrong with a whole source; the message is a sentence, ``text`` what could be read of it before, if anything."""

    def __init__(self, reason: str, text: str | None = None) -> None:
        super().__init__(reason)
        self.text = text


def label_of(source: str | os.PathLike[str]) -> str:
    """What a source is called in sentences; what is no text in its name is replaced."""
    return "standard input" if os.fspath(source) == STDIN else os.fsencode(source).decode("utf-8", "replace")


def stem_of(source: str | os.PathLike[str]) -> str:
    """What a source's nameless molecules are called after: its file name without endings."""
    return "stdin" if os.fspath(source) == STDIN else Path(label_of(source)).name.split(".")[0] or "molecule"


def extension_of(source: str | os.PathLike[str]) -> str:
    """A source's ending in small letters ("xyz"), that of a compression left out; "" for none."""
    suffixes = [suffix.lower() for suffix in Path(source).suffixes]
    while suffixes and suffixes[-1] in _OPENERS:
        suffixes.pop()
    return suffixes[-1].removeprefix(".") if suffixes else ""


def require_file(path: str | os.PathLike[str]) -> None:
    """Refuse what is not a file with something in it; standard input is none.

    Raises
    ------
    SourceProblem
        With the reason.
    """
    if os.fspath(path) == STDIN:
        raise SourceProblem("only xyz, extxyz, SDF, PDB and mol2 come through a pipe")
    if not os.path.exists(path):
        raise SourceProblem("there is no such file")
    if os.path.isdir(path):
        raise SourceProblem("is a folder, not a file")
    if os.path.isfile(path) and os.path.getsize(path) == 0:
        raise SourceProblem("the file is empty")


def require_modest(path: str | os.PathLike[str], limit: int) -> None:
    """Refuse a compressed file that unpacks to more than ``limit`` bytes, without keeping any of them.

    Raises
    ------
    SourceProblem
        If it does; what else is wrong with the file is left to its reader.
    """
    opener = _OPENERS.get(Path(path).suffix.lower())
    if opener is None or not os.path.isfile(path):
        return
    size = 0
    with suppress(OSError, EOFError, lzma.LZMAError, zlib.error), opener(path, "rb") as file:
        while piece := file.read(_PIECE):
            size += len(piece)
            if size > limit:
                raise SourceProblem(
                    f"unpacks to more than {limit / 1e9:g} GB: --max-unpacked GB allows more, or unpack it and split it"
                )


def read_text(source: str | os.PathLike[str], max_unpacked: int = MAX_UNPACKED) -> str:
    """The text of a file or of standard input ("-"), which may unpack to so many bytes; UTF-8 unless a mark says UTF-16.

    A byte here and there that is no text is replaced; the molecule that it stands in is told of by its reader.

    Raises
    ------
    SourceProblem
        If there is no such file, it cannot be opened, is empty, or is not text.
    """
    try:
        if os.fspath(source) == STDIN:
            content = _unpacked(sys.stdin.buffer.read(), max_unpacked)
        else:
            require_file(source)
            opener = _OPENERS.get(Path(source).suffix.lower(), open)
            with opener(source, "rb") as file:
                content = file.read() if opener is open else _until_cut_off(file)
    except PermissionError:
        raise SourceProblem("may not be read (permission denied)") from None
    except EOFError:
        raise SourceProblem("the compressed file is cut off") from None
    except (OSError, lzma.LZMAError, zlib.error) as error:
        raise SourceProblem(f"cannot be read: {error}") from None
    text = _decoded(content)
    if not text.strip():
        raise SourceProblem("nothing came in" if os.fspath(source) == STDIN else "the file is empty")
    if "\0" in text and len(_NO_TEXT.findall(text)) > _STRAY_SHARE * len(text):
        raise SourceProblem("is not a text file")
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _until_cut_off(file: Any) -> bytes:
    """A compressed file, piece by piece: one that is cut off still has what comes before."""
    pieces: list[bytes] = []
    try:
        while piece := file.read1(_PIECE):
            pieces.append(piece)
    except EOFError:
        raise SourceProblem("the compressed file is cut off", _decoded(b"".join(pieces))) from None
    return b"".join(pieces)


def _decoded(content: bytes) -> str:
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    return content.decode(encoding, errors="replace")


def _unpacked(content: bytes, limit: int) -> bytes:
    """What came through a pipe, unpacked where its first bytes say that it is compressed."""
    opener = next((_OPENERS[ending] for mark, ending in _PACKED if content.startswith(mark)), None)
    if opener is None:
        return content
    with opener(io.BytesIO(content), "rb") as file:
        unpacked = file.read(limit + 1)
    if len(unpacked) > limit:
        raise SourceProblem(f"unpacks to more than {limit / 1e9:g} GB: --max-unpacked GB allows more, or unpack it and split it")
    return unpacked


def stream_lines(source: str | os.PathLike[str]) -> Iterator[str]:
    """The lines of a file, as `read_text` reads it, without their ends and one after another: the file may exceed the memory.

    Standard input is read at once.

    Raises
    ------
    SourceProblem
        As `read_text` (an empty file has no lines), at the line where the trouble is met, and where a line has more than
        `MAX_LINE` characters.
    """
    if os.fspath(source) == STDIN:
        yield from (line.removesuffix("\r") for line in read_text(source).split("\n"))
        return
    try:
        require_file(source)
        opener = _OPENERS.get(Path(source).suffix.lower(), open)
        with opener(source, "rb") as file:
            begin = file.read(3)
        encoding = next((name for mark, name in _MARKS if begin.startswith(mark)), "utf-8")
        with opener(source, "rb") as packed:
            raw = _ToTheCut(packed)
            file = io.TextIOWrapper(io.BufferedReader(raw), encoding=encoding, errors="replace", newline="\n")
            while line := file.readline(MAX_LINE):
                if len(line) >= MAX_LINE:
                    raise SourceProblem(f"has a line of more than {MAX_LINE / 1e6:g} million characters: no molecule has that")
                if raw.cut and not line.endswith("\n"):  # not whole
                    break
                yield line.removesuffix("\n").replace("\0", "\N{REPLACEMENT CHARACTER}")
            if raw.cut:
                raise EOFError
    except PermissionError:
        raise SourceProblem("may not be read (permission denied)") from None
    except EOFError:
        raise SourceProblem("the compressed file is cut off") from None
    except (OSError, lzma.LZMAError, zlib.error) as error:
        raise SourceProblem(f"cannot be read: {error}") from None


class _ToTheCut(io.RawIOBase):
    """A file whose end is where it is cut off; ``cut`` says that it was."""

    def __init__(self, file: Any) -> None:
        self._file, self.cut = file, False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            piece = self._file.read1(len(buffer))
        except EOFError:
            self.cut, piece = True, b""
        buffer[: len(piece)] = piece
        return len(piece)


def compressed(path: str | os.PathLike[str], text: str) -> bytes:
    """Text as bytes that a file with this ending can grow by: UTF-8, compressed where the ending says so; always the same bytes.

    The parts of a file that is written so are one compressed file: gzip, bzip2 and xz unpack all parts one after another.
    """
    content = text.encode(errors="replace")
    match Path(path).suffix.lower():
        case ".gz":
            return gzip.compress(content, mtime=0)
        case ".bz2":
            return bz2.compress(content)
        case ".xz":
            return lzma.compress(content)
    return content


def write_text(path: str | os.PathLike[str], parts: Iterable[str]) -> None:
    """Write UTF-8 text to a file, which appears only when it is complete, or to standard output ("-")."""
    if os.fspath(path) == STDIN:
        write_output(parts)
        return
    with atomic_path(path) as temporary:
        opener = _OPENERS.get(Path(path).suffix.lower(), open)
        with opener(temporary, "wb") as file:
            file.writelines(part.encode(errors="replace") for part in parts)
