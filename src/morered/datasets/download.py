"""Downloads that end in the right bytes or in an error that names the file.

`fetch` writes to ``.<name>.<digest>.part`` beside the destination and renames it once size and digest are right. The part
survives a cut connection and a killed job, and the next call goes on from where it ends; the digest in its name keeps versions
apart. Bytes are hashed while they stream, so a file is read again only to resume it. Sizes are in bytes, times in seconds.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO

from morered.datasets.integrity import (
    BLOCK,
    DigestError,
    DiskError,
    DownloadError,
    check_room,
    hasher,
    is_whole,
    mismatch,
    naming,
)
from morered.datasets.progress import byte_bar
from morered.datasets.sources import Expected, Source
from morered.extras import needs

with needs("workflow"):
    import requests
    import urllib3

logger = logging.getLogger(__name__)

HEADERS = {"User-Agent": "morered (a scientific workflow)", "Accept-Encoding": "identity"}
"""Zenodo refuses (HTTP 403) what calls itself by a library's name, as requests does; and nobody shall compress what is hashed."""

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP answers that may be another one a moment later."""


@dataclass(frozen=True)
class Retry:
    """How patient a download is.

    ``attempts`` counts tries in a row that bring nothing new from one url; the wait between them starts at ``wait`` seconds and
    doubles up to ``longest``. A server's Retry-After is obeyed up to ``patience`` seconds; one that asks for more is given up.
    ``timeout`` is for connecting and for each read, in seconds.
    """

    attempts: int = 5
    wait: float = 2.0
    longest: float = 120.0
    patience: float = 1800.0
    timeout: tuple[float, float] = (15.0, 60.0)


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
        If there is no room for the file. When the disk fills up half-way, the part is removed.
    """
    destination, retry = Path(destination), retry or Retry()
    if is_whole(destination, source.file):
        logger.info("%s: already there, digest right", destination)
        return destination
    destination.parent.mkdir(parents=True, exist_ok=True)
    path = part_path(destination, source.file)
    _adopt(destination, path, source.file)
    check_room(destination, source.file.bytes - (path.stat().st_size if path.exists() else 0))
    with _locked(path) as file:
        part = _Part(file, path, destination, source.file, progress)
        try:
            _complete(part, source, retry, sleep)
        except (DiskError, DownloadError) as error:
            if part.size == 0 or not _resumable(error):
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


def _resumable(error: Exception) -> bool:
    """Whether the next run should go on from the bytes there are: they are good, only more are missing."""
    return not isinstance(error, DiskError | DigestError)


class _Again(Exception):
    """The try failed, the next may not. ``after``: seconds that the server asks to wait."""

    def __init__(self, reason: str, after: float | None = None):
        super().__init__(reason)
        self.after = after


class _GiveUp(Exception):
    """The url will not give the file."""


class _WrongBytes(_GiveUp):
    """The url gave a whole file with another digest, twice."""


class _Part:
    """The unfinished file: what is written is hashed, and what was there before is hashed once."""

    def __init__(self, file: IO[bytes], path: Path, destination: Path, expected: Expected, progress: bool | None):
        self.file, self.path, self.destination, self.expected = file, path, destination, expected
        self.size = 0
        self.hash = hasher(expected.algorithm)
        self.bar = byte_bar(expected.name, expected.bytes, progress)
        self._hash_what_is_there()
        self.highest = self.size  # tells new bytes from bytes sent again

    def _hash_what_is_there(self) -> None:
        if os.fstat(self.file.fileno()).st_size > self.expected.bytes:
            self.restart()
        while block := self.file.read(BLOCK):
            self.hash.update(block)
            self.size += len(block)
        self.bar.initial = self.bar.n = self.size

    @property
    def digest(self) -> str:
        return f"{self.expected.algorithm}:{self.hash.hexdigest()}"

    def write(self, block: bytes) -> None:
        rest = memoryview(block)
        with naming(self.destination, self.expected.bytes - self.size):
            while rest:  # an unbuffered file may take less than it is given
                rest = rest[self.file.write(rest) :]
        self.hash.update(block)
        self.size += len(block)
        self.highest = max(self.highest, self.size)
        self.bar.update(len(block))

    def restart(self) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.size, self.hash = 0, hasher(self.expected.algorithm)
        self.bar.reset()

    def flush(self) -> None:
        with naming(self.destination, self.expected.bytes - self.size):
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
        f"{part.destination}: not complete ({part.size} of {part.expected.bytes} bytes so far; the next run goes on from there). "
        f"{message}. Where there is no network, put the file there by hand: its digest is checked."
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
            wrong_bytes = mismatch(part.destination, part.expected, part.size, found)
            part.restart()
            part.highest = 0
            if wrong > 1:
                raise _WrongBytes(wrong_bytes)
            logger.warning("%s; fetching it once more from the start", wrong_bytes)
        sleep(wait)


def _stream(url: str, part: _Part, retry: Retry, session: requests.Session) -> None:
    """One request, for what is missing; returns with a part of the expected size."""
    if part.size == part.expected.bytes:
        return
    span = {"Range": f"bytes={part.size}-"} if part.size else {}
    with session.get(url, headers={**HEADERS, **span}, stream=True, timeout=retry.timeout) as response:
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
def _locked(path: Path) -> Iterator[IO[bytes]]:
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


def _lock(file: IO[bytes], path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DownloadError(f"{path}: another process is downloading it") from None
    except OSError as error:  # a file system without locks: go on without one
        logger.debug("%s: no lock (%s)", path, error)


def _is(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
