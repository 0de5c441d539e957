"""A local HTTP server that serves files and misbehaves on demand, and small files in the format of QM7-X."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypedDict

import h5py
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from morered.datasets.sources import Expected, Source


class Fault(TypedDict, total=False):
    """How one request is answered wrongly."""

    status: int  # this error
    retry_after: str  # with this header
    cut: int  # the connection ends after so many bytes
    wrong: bool  # other bytes of the same length
    shifted: bool  # a range that starts one byte later than asked for
    chunked: bool  # no Content-Length
    stalled: int  # after so many bytes nothing comes any more, until the server ends


@dataclass
class Server:
    """``faults[path]`` are used up one per request; then the file is served properly. ``requests``: (path, Range, bytes sent)."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    ranges: bool = True
    requests: list[tuple[str, str | None, int]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def source(self, name: str, *, unpacked: bytes | None = None, mirror: str | None = None, dataset: str = "test") -> Source:
        """The row of the table for a served file."""
        content = self.files[name]
        inner = None if unpacked is None else expected(name.removesuffix(".xz") + ".hdf5", unpacked)
        urls = (f"{self.url}/{name}",) + ((f"{self.url}/{mirror}",) if mirror else ())
        return Source(dataset, "1", expected(name, content), inner, urls)

    def served(self, name: str) -> list[tuple[str | None, int]]:
        """(Range, bytes sent) of each request for a file."""
        return [(span, sent) for path, span, sent in self.requests if path == name]


def expected(name: str, content: bytes) -> Expected:
    return Expected(name, len(content), f"md5:{hashlib.md5(content).hexdigest()}")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as state:
        yield state


@contextmanager
def serving() -> Iterator[Server]:
    """A server at a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            name, span = self.path.lstrip("/"), self.headers.get("Range")
            queue = state.faults.get(name, [])
            fault = queue.pop(0) if queue else Fault()
            if self.headers["User-Agent"].startswith(("python-requests", "Python-urllib")):  # as Zenodo does
                fault = Fault(status=403)
            if "status" in fault or name not in state.files:
                self._refuse(name, span, fault.get("status", 404), fault.get("retry_after"))
                return
            content = state.files[name]
            if fault.get("wrong"):
                content = bytes(byte ^ 1 for byte in content)
            start = 0
            if span and state.ranges:
                start = int(re.fullmatch(r"bytes=(\d+)-", span)[1])
                if start >= len(content):
                    self._refuse(name, span, 416)
                    return
                first = start + 1 if fault.get("shifted") else start
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            body = content[start:]
            if fault.get("chunked"):
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            sent = body[: fault.get("cut", fault.get("stalled"))]
            state.requests.append((name, span, len(sent)))
            if fault.get("chunked"):
                self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(sent), sent))
            else:
                self.wfile.write(sent)
            if "stalled" in fault:
                self.wfile.flush()
                state.ended.wait()
            if "cut" in fault or "stalled" in fault:
                self.close_connection = True

        def _refuse(self, name: str, span: str | None, status: int, retry_after: str | None = None) -> None:
            state.requests.append((name, span, 0))
            self.send_response(status)
            if retry_after is not None:
                self.send_header("Retry-After", retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    state = Server(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.ended.set()
        http.shutdown()
        http.server_close()
        thread.join()


# ------------------------------------------------------------------- QM7-X in its published format

ELEMENTS = {1: [6, 1, 1, 1, 1], 2: [8, 1, 1], 10: [6, 7, 1, 1, 1, 1, 1], 7001: [6, 17, 1, 1, 1]}
"""Atomic numbers of the molecules that `write_qm7x` knows."""


def write_qm7x(
    path: Path, minima: list[tuple[int, int, int]], displaced: int = 100, flat: bool = False, elements: list[int] | None = None
) -> None:
    """A file of the shape of QM7-X's: ``file[molecule][structure][property]`` with its names, shapes, types and units.

    The values are random but belong together: displaced structures are the minimum plus noise that grows with their number,
    turned and shifted. ``flat``: per-atom properties as (N,) and numbers as (), else (N, 1) and (1,).
    ``elements``: of every molecule.
    """
    with h5py.File(path, "w") as file:
        for m, i, c in minima:
            random = np.random.default_rng([m, i, c])
            numbers = np.array(elements or ELEMENTS[m])
            n = len(numbers)
            minimum = random.normal(scale=1.5, size=(n, 3))
            group = file.require_group(str(m))
            for d in range(displaced + 1):
                rotation = Rotation.random(random_state=random).as_matrix() if d else np.eye(3)
                moved = minimum + random.normal(scale=0.004 * d, size=(n, 3))
                structure = group.create_group(f"Geom-m{m}-i{i}-c{c}-" + (f"d{d}" if d else "opt"))
                structure["atNUM"] = numbers
                structure["atXYZ"] = moved @ rotation + (random.normal(size=3) if d else 0.0)
                dispersion, vdw = random.normal(), random.normal(size=(n, 3))
                energy, forces = random.normal(-1e3, 1.0), random.normal(size=(n, 3))
                scalars = {
                    "sRMSD": np.sqrt(np.square(moved - minimum).sum(axis=1).mean()),
                    "ePBE0": energy,
                    "eMBD": dispersion,
                    "ePBE0+MBD": energy + dispersion,
                    "HLgap": random.uniform(4, 8),
                }
                for name, value in scalars.items():
                    structure[name] = value if flat else np.array([value])
                for name, values in {"pbe0FOR": forces, "vdwFOR": vdw, "totFOR": forces + vdw}.items():
                    structure[name] = values
                for name in ("hVOL", "hRAT"):
                    structure[name] = random.uniform(0.5, 1.0, size=n if flat else (n, 1))


QM7X_1000 = [(1, 1, 1), (1, 1, 2), (2, 1, 1), (2, 2, 1)]
QM7X_8000 = [(10, 1, 1), (7001, 1, 1)]


@pytest.fixture(scope="session")
def qm7x(tmp_path_factory) -> Path:
    """A folder with ``1000.hdf5`` and ``8000.hdf5``, four and two complete minima in them."""
    folder = tmp_path_factory.mktemp("qm7x")
    write_qm7x(folder / "1000.hdf5", QM7X_1000)
    write_qm7x(folder / "8000.hdf5", QM7X_8000, flat=True)
    return folder


@pytest.fixture(scope="session")
def qm7x_writer() -> Callable[..., None]:
    """`write_qm7x`, for files of other contents."""
    return write_qm7x
