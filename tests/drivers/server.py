"""A plain static server that can be told to misbehave.

It sends what a simple static host sends: a type, a length, no isolation headers (COOP, COEP), no
CORS, no compression unless asked, and it serves below a path, as project pages do.
"""

from __future__ import annotations

import gzip
import mimetypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

SLOW_BYTES = 100_000
SLOW_PAUSE_S = 0.5
COMPRESSED_TYPES = ("text/", "application/javascript", "application/json", "application/wasm")

# Takes the bytes of a file and returns what is sent instead; None: there is no such file.
Fault = Callable[[bytes], "bytes | None"]


@dataclass
class StaticServer:
    """A folder on the network, what was asked of it, and what goes wrong with its files."""

    folder: Path
    prefix: str = "/some-project/"
    compress: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    # Parts of names whose answer never begins, breaks off in the middle, stands still there, or
    # trickles.
    hung: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)
    stalled: set[str] = field(default_factory=set)
    slow: set[str] = field(default_factory=set)
    released: threading.Event = field(default_factory=threading.Event)
    ended: bool = False
    requested: list[str] = field(default_factory=list)
    bytes_sent: int = 0
    port: int = 0
    compressed: dict[bytes, bytes] = field(default_factory=dict)

    def url(self, page: str, host: str = "127.0.0.1") -> str:
        """The address of a page below the server's prefix."""
        return f"http://{host}:{self.port}{self.prefix}{page}"

    def gzip(self, body: bytes) -> bytes:
        """The body in gzip, compressed once: a measurement must not measure this."""
        if body not in self.compressed:
            self.compressed[body] = gzip.compress(body, 9)
        return self.compressed[body]

    def content(self, address: str) -> bytes | None:
        """What is sent for an address, or None."""
        name = unquote(urlsplit(address).path).removeprefix(self.prefix)
        path = self.folder / name
        self.requested.append(name)
        if not path.is_file():
            return None
        body = path.read_bytes()
        for part, fault in self.faults.items():
            if part in path.name:
                return fault(body)
        return body


class Handler(BaseHTTPRequestHandler):
    """Answers GET from a StaticServer."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args: Any, static: StaticServer) -> None:
        self.static = static
        super().__init__(*args)

    def do_GET(self) -> None:
        """Sends a file, or 404."""
        if self.static.ended:
            # Its listener is closed, and so is what browsers keep open for later.
            self.close_connection = True
            return
        body = self.static.content(self.path)
        if any(part in self.path for part in self.static.hung):
            self.static.released.wait()
        kind = mimetypes.guess_type(urlsplit(self.path).path)[0] or "application/octet-stream"
        self.send_response(404 if body is None else 200)
        body = body or b""
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "max-age=600")
        if self.static.compress and kind.startswith(COMPRESSED_TYPES):
            body = self.static.gzip(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        for name, value in self.static.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.static.bytes_sent += len(body)
        try:
            self.send_body(body)
        except ConnectionError:
            # A browser that no longer wants a file hangs up.
            self.close_connection = True

    def send_body(self, body: bytes) -> None:
        """Sends a body, or as much of it as the server was told to."""
        static, name = self.static, urlsplit(self.path).path.rpartition("/")[2]
        cut, stalled, slow = (
            any(part in name for part in parts)
            for parts in (static.cut, static.stalled, static.slow)
        )
        if not (cut or stalled or slow):
            self.wfile.write(body)
            return
        middle = len(body) // 2
        self.wfile.write(body[:middle])
        self.wfile.flush()
        if slow:
            for at in range(middle, len(body), SLOW_BYTES):
                static.released.wait(SLOW_PAUSE_S)
                self.wfile.write(body[at : at + SLOW_BYTES])
        elif stalled:
            static.released.wait()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base's name
        """Says nothing: requests are in `requested`."""


@contextmanager
def serving(folder: Path, *, port: int = 0, **options: Any) -> Iterator[StaticServer]:
    """Serves a folder on a port of this machine, a free one by default, until the block ends."""
    static = StaticServer(folder, **options)
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, static=static))
    static.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield static
    finally:
        static.ended = True
        static.released.set()
        server.shutdown()
        server.server_close()
