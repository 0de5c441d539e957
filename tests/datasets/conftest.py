"""A local HTTP server that serves files and misbehaves on demand, and sources that point at it."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypedDict

import pytest

from morered.datasets.sources import Expected, Source


class Fault(TypedDict, total=False):
    """How one request is answered wrongly."""

    status: int  # this error
    retry_after: str  # with this header
    cut: int  # the connection ends after so many bytes
    wrong: bool  # other bytes of the same length
    shifted: bool  # a range that starts one byte later than asked for
    chunked: bool  # no Content-Length


@dataclass
class Server:
    """``faults[path]`` are used up one per request; then the file is served properly. ``requests``: (path, Range, bytes sent)."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    ranges: bool = True
    requests: list[tuple[str, str | None, int]] = field(default_factory=list)

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
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            name, span = self.path.lstrip("/"), self.headers.get("Range")
            queue = state.faults.get(name, [])
            fault = queue.pop(0) if queue else Fault()
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
            sent = body[: fault.get("cut")]
            state.requests.append((name, span, len(sent)))
            if fault.get("chunked"):
                self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(sent), sent))
            else:
                self.wfile.write(sent)
            if "cut" in fault:
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
    yield state
    http.shutdown()
    http.server_close()
    thread.join()
