"""Downloads that end in the right bytes or in an error that names the file.

`fetch` writes to ``.<name>.<digest>.part`` beside the destination and renames it once size and digest are right. The part survives a cut
connection and a killed job, and the next call goes on from where it ends; the digest in its name keeps versions apart. Bytes are hashed
while they stream, so a file is read again only to resume it. `unpack_xz` streams too. Sizes are in bytes, times in seconds.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import lzma
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO, NoReturn

import requests
import urllib3
from tqdm import tqdm

from morered.datasets.sources import Expected, Source
from morered.files import atomic_path

logger = logging.getLogger(__name__)

BLOCK = 1 << 20
"""Bytes read or written at a time."""

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP answers that may be another one a moment later."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""System errors that mean: no room for more."""


class DownloadError(RuntimeError):
    """No source gave the file."""


class DigestError(DownloadError):
    """A file is not what its digest says; the message names the file, what was expected and what was found."""


class ArchiveError(RuntimeError):
    """An archive is damaged or of another kind; the message names it."""


class DiskError(OSError):
    """A file could not be written; the message names it and says how much room it needs."""


@dataclass(frozen=True)
class Retry:
    """How patient a download is.

    ``attempts`` counts tries in a row that bring nothing new from one url; the wait between them starts at ``wait`` seconds and doubles
    up to ``longest``. A server's Retry-After is obeyed up to ``patience`` seconds; one that asks for more is given up.
    ``timeout`` is for connecting and for each read, in seconds.
    """

    attempts: int = 5
    wait: float = 2.0
    longest: float = 120.0
    patience: float = 1800.0
    timeout: tuple[float, float] = (15.0, 60.0)


# --------------------------------------------------------------------- digests


def digest_of(path: Path, algorithm: str = "md5") -> str:
    """The digest of a file as ``algorithm:hexadecimal``."""
    with Path(path).open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, _new(algorithm)).hexdigest()}"


def is_whole(path: Path, expected: Expected) -> bool:
    """Whether a file is there with the right size and digest (all of it is read where the size is right)."""
    path = Path(path)
    return path.is_file() and path.stat().st_size == expected.bytes and _digest_like(path, expected) == expected.digest


def verify(path: Path, expected: Expected) -> None:
    """Check the size and the digest of a file.

    Raises
    ------
    DigestError
        If either is wrong; the message names the file, what was expected and what was found.
    """
    size = Path(path).stat().st_size
    found = _digest_like(path, expected)
    if size != expected.bytes or found != expected.digest:
        raise DigestError(_mismatch(path, expected, size, found))


def _digest_like(path: Path, expected: Expected) -> str:
    return digest_of(path, expected.digest.partition(":")[0])


def _new(algorithm: str) -> Callable[[], hashlib._Hash]:
    return lambda: hashlib.new(algorithm, usedforsecurity=False)


def _mismatch(path: Path | str, expected: Expected, size: int, found: str) -> str:
    return f"{path}: expected {expected.bytes} bytes with {expected.digest}, found {size} bytes with {found}"


# --------------------------------------------------------------------- fetching


def fetch(
    source: Source,
    destination: Path,
    *,
    retry: Retry | None = None,
    progress: bool | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Bring one file of the table to ``destination``, from its primary url or, where that fails, from its mirror.

    A file that is there already is believed only if its digest is right: a shorter one is continued, any other replaced.

    Parameters
    ----------
    source
        Row of the table of sources.
    destination
        Path of the file; its folder is made.
    retry
        How patient to be.
    progress
        Whether to show a bar; None shows one on a terminal only.
    sleep
        Called with the seconds to wait.

    Returns
    -------
    Path
        The destination, with the right size and digest.

    Raises
    ------
    DigestError
        If every url gives other bytes than the digest says.
    DownloadError
        If no url gives the file, or another process is fetching it.
    DiskError
        If the file cannot be written; nothing of it is left.
    """
    destination, retry = Path(destination), retry or Retry()
    if is_whole(destination, source.file):
        logger.info("%s: already there, digest right", destination)
        return destination
    destination.parent.mkdir(parents=True, exist_ok=True)
    path = part_path(destination, source.file)
    _adopt(destination, path, source.file)
    with _locked(path) as file:
        part = _Part(file, path, destination, source.file, progress)
        try:
            _complete(part, source, retry, sleep)
        except (DiskError, DigestError):
            path.unlink(missing_ok=True)
            raise
        finally:
            part.bar.close()
        os.replace(path, destination)
    logger.info("%s: %d bytes, digest right", destination, source.file.bytes)
    return destination


def part_path(destination: Path, expected: Expected) -> Path:
    """Where the bytes of an unfinished download lie."""
    return destination.with_name(f".{destination.name}.{expected.digest.rpartition(':')[2][:12]}.part")


class _Again(Exception):
    """This try failed, the next may not. ``after``: seconds that the server asks to wait."""

    def __init__(self, reason: str, after: float | None = None):
        super().__init__(reason)
        self.after = after


class _GiveUp(Exception):
    """This url will not give the file."""


class _WrongBytes(_GiveUp):
    """This url gave a whole file with another digest, twice."""


class _Part:
    """The unfinished file: what is written is hashed, and what was there before is hashed once."""

    def __init__(self, file: BinaryIO, path: Path, destination: Path, expected: Expected, progress: bool | None):
        self.file, self.path, self.destination, self.expected = file, path, destination, expected
        self.size = self.highest = 0  # `highest` tells new bytes from bytes sent again
        self.hash = _new(expected.digest.partition(":")[0])()
        self._hash_what_is_there()
        self.bar = tqdm(
            total=expected.bytes,
            initial=self.size,
            desc=expected.name,
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            disable=None if progress is None else not progress,
        )
        check_room(destination, expected.bytes - self.size)

    def _hash_what_is_there(self) -> None:
        if os.fstat(self.file.fileno()).st_size > self.expected.bytes:
            self.restart()
        while block := self.file.read(BLOCK):
            self.hash.update(block)
            self.size += len(block)
        self.highest = self.size

    @property
    def digest(self) -> str:
        return f"{self.expected.digest.partition(':')[0]}:{self.hash.hexdigest()}"

    def write(self, block: bytes) -> None:
        with naming(self.destination, self.expected.bytes - self.size):
            self.file.write(block)
        self.hash.update(block)
        self.size += len(block)
        self.highest = max(self.highest, self.size)
        self.bar.update(len(block))

    def restart(self) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.size, self.hash = 0, _new(self.expected.digest.partition(":")[0])()
        if hasattr(self, "bar"):
            self.bar.reset()

    def flush(self) -> None:
        with naming(self.destination, self.expected.bytes - self.size):
            self.file.flush()
            os.fsync(self.file.fileno())


def _complete(part: _Part, source: Source, retry: Retry, sleep: Callable[[float], None]) -> None:
    """Fill the part from the urls in turn until its digest is right."""
    failures: list[tuple[str, _GiveUp]] = []
    with requests.Session() as session:
        for url in source.urls:
            try:
                _complete_from(url, part, retry, session, sleep)
            except _GiveUp as failure:
                logger.warning("%s: %s: %s", source.file.name, url, failure)
                failures.append((url, failure))
            else:
                return part.flush()
    message = "; ".join(f"{url}: {failure}" for url, failure in failures) or "the table names no url"
    if any(isinstance(failure, _WrongBytes) for _, failure in failures):
        raise DigestError(message)
    part.flush()
    raise DownloadError(
        f"{part.destination}: not complete ({part.size} of {part.expected.bytes} bytes so far; the next run goes on from there). {message}. "
        "Where there is no network, put the file there by hand: its digest is checked."
    )


def _complete_from(url: str, part: _Part, retry: Retry, session: requests.Session, sleep: Callable[[float], None]) -> None:
    idle = wrong = 0
    while True:
        before, wait = part.highest, retry.wait
        try:
            _stream(url, part, retry, session)
        except (_Again, requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as failure:
            idle = 0 if part.highest > before else idle + 1
            if idle >= retry.attempts:
                raise _GiveUp(f"{failure} ({idle} tries in a row brought nothing)") from failure
            wait = min(retry.longest, retry.wait * 2 ** max(idle - 1, 0))
            asked = failure.after if isinstance(failure, _Again) else None
            if asked is not None:
                if asked > retry.patience:
                    raise _GiveUp(f"{failure}; it asks to wait {asked:.0f} s") from failure
                wait = max(wait, asked)
            logger.info("%s: %s; again in %.1f s", part.expected.name, failure, wait)
        else:
            found = part.digest
            if found == part.expected.digest:
                return
            wrong += 1
            mismatch = _mismatch(part.destination, part.expected, part.size, found)
            part.restart()
            part.highest = 0
            if wrong > 1:
                raise _WrongBytes(mismatch)
            logger.warning("%s; fetching it once more from the start", mismatch)
        sleep(wait)


def _stream(url: str, part: _Part, retry: Retry, session: requests.Session) -> None:
    """One request, for what is missing; returns with a part of the expected size."""
    if part.size == part.expected.bytes:
        return
    headers = {"Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
    with session.get(url, headers=headers, stream=True, timeout=retry.timeout) as response:
        _accept(response, part)
        for block in response.raw.stream(BLOCK, decode_content=False):
            if part.size + len(block) > part.expected.bytes:
                part.restart()
                raise _GiveUp(f"sends more than the {part.expected.bytes} bytes expected")
            part.write(block)
    if part.size < part.expected.bytes:
        raise _Again(f"connection cut after {part.size} of {part.expected.bytes} bytes")


def _accept(response: requests.Response, part: _Part) -> None:
    """Check the answer's head against what was asked for; starts the part over where the server cannot continue it."""
    status = response.status_code
    if status in PASSING:
        raise _Again(f"HTTP {status} {response.reason}", _retry_after(response.headers.get("Retry-After")))
    if status == 416:
        part.restart()
        raise _Again("HTTP 416: the part could not be continued")
    if status == 206:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if span is None or int(span[1]) != part.size or span[2] not in ("*", str(part.expected.bytes)):
            start, part_size = response.headers.get("Content-Range"), part.size
            part.restart()
            raise _Again(f"asked to go on at byte {part_size}, it answers {start!r}")
        return
    if status != 200:
        raise _GiveUp(f"HTTP {status} {response.reason}")
    length = response.headers.get("Content-Length")
    if length is not None and int(length) != part.expected.bytes:
        raise _GiveUp(f"offers {length} bytes where {part.expected.bytes} are expected")
    if part.size:
        part.restart()


def _retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks to wait: it holds seconds or a date."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _adopt(destination: Path, part: Path, expected: Expected) -> None:
    """Take a file that lies at the destination but is not whole for the part, or remove it."""
    if not destination.exists():
        return
    if destination.stat().st_size < expected.bytes and not part.exists():
        logger.warning("%s: not whole, going on from its %d bytes", destination, destination.stat().st_size)
        os.replace(destination, part)
    else:
        logger.warning("%s: not the file expected (%s), replaced", destination, expected.digest)
        destination.unlink()


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """The part opened for reading and writing, by one process at a time."""
    while True:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
        try:
            _lock(file, path)
            if not _is(file, path):  # another process finished and renamed it between opening and locking
                continue
            yield file
            return
        finally:
            file.close()


def _lock(file: BinaryIO, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DownloadError(f"{path}: another process is downloading it") from None
    except OSError as error:  # a file system without locks: go on without one
        logger.debug("%s: no lock (%s)", path, error)


def _is(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


# --------------------------------------------------------------------- unpacking


def unpack_xz(archive: Path, destination: Path, expected: Expected, *, progress: bool | None = None) -> Path:
    """Unpack an xz file as a stream, checking the size and the digest of what comes out.

    A destination that is there with the right digest is kept.

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
    algorithm = expected.digest.partition(":")[0]
    digest, size = _new(algorithm)(), 0
    bar = tqdm(
        total=expected.bytes,
        desc=destination.name,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        disable=None if progress is None else not progress,
    )
    with bar, naming(destination, expected.bytes), atomic_path(destination) as temporary:
        with Path(temporary).open("wb") as out:
            for block in _blocks_of_xz(archive):
                out.write(block)
                digest.update(block)
                size += len(block)
                bar.update(len(block))
        found = f"{algorithm}:{digest.hexdigest()}"
        if size != expected.bytes or found != expected.digest:
            raise DigestError(_mismatch(destination, expected, size, found) + f" (unpacked from {archive})")
    return destination


def _blocks_of_xz(archive: Path) -> Iterator[bytes]:
    with reading(archive, lzma.LZMAError, EOFError), lzma.open(archive) as packed:
        while block := packed.read(BLOCK):
            yield block


# --------------------------------------------------------------------- errors that name the file


@contextmanager
def reading(archive: Path, *damaged: type[Exception]) -> Iterator[None]:
    """Turn what a damaged archive raises while it is read into an `ArchiveError` that names it."""
    try:
        yield
    except damaged as error:
        raise ArchiveError(f"{archive}: unreadable archive ({error or type(error).__name__})") from error


@contextmanager
def naming(path: Path, needed: int) -> Iterator[None]:
    """Turn a full disk, quota or file size limit into a `DiskError` that names the file and the room still needed (bytes)."""
    try:
        yield
    except DiskError:
        raise
    except OSError as error:
        if error.errno not in FULL:
            raise
        _no_room(path, needed, error)


def check_room(path: Path, needed: int) -> None:
    """Refuse to start writing a file that cannot fit.

    Raises
    ------
    DiskError
        If fewer than ``needed`` bytes are free where ``path`` will lie.
    """
    if shutil.disk_usage(path.parent).free < needed:
        _no_room(path, needed, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


def _no_room(path: Path, needed: int, error: OSError) -> NoReturn:
    free = shutil.disk_usage(path.parent).free
    raise DiskError(
        error.errno, f"{os.strerror(error.errno or errno.ENOSPC)}: {needed} bytes more are needed, {free} are free", str(path)
    ) from error
