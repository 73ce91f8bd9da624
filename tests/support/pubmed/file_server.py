"""A real HTTP/1.1 server on loopback that serves a folder as NCBI does, and fails on demand.

with FileServer(folder) as server:
    publish(folder / "baseline", "pubmed26n0001.xml.gz", content)
    server.fail("/baseline/pubmed26n0001.xml.gz", Fault(cut=1000), Fault(status=503, retry_after="7"))
    ... server.url ...
    server.requests, server.most_connections
"""

import hashlib
import select
import socket
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

BLOCK = 8192


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one answer; faults combine."""

    status: int = 200
    """Answered instead of the file: 503, 429, 404 …"""
    retry_after: str | None = None
    drop: bool = False
    """Closes the connection without an answer."""
    cut: int | None = None
    """Closes the connection after so many bytes of the body."""
    stall: int | None = None
    """Falls silent after so many bytes of the body, until the client leaves."""
    rate: float | None = None
    """Bytes per second."""
    ignore_range: bool = False
    chunked: bool = False
    """Does not say how long the body is."""
    body: bytes | None = None
    """Served instead of the file's content: lies about md5, listings that break off."""


@dataclass
class Request:
    """A request that was answered, or is being answered."""

    path: str
    range: str | None
    method: str = "GET"
    agent: str = ""
    status: int = 0
    sent: int = 0
    """Bytes of the body so far."""


def md5_text(name: str, content: bytes, style: str = "openssl") -> str:
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return f"MD5({name})= {digest}\n" if style == "openssl" else f"{digest}  {name}\n"


def publish(folder: Path, name: str, content: bytes, style: str = "openssl") -> None:
    """Write a file and its .md5."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    (folder / f"{name}.md5").write_text(md5_text(name, content, style))


def listing_page(path: str, names: list[str]) -> str:
    """Return a folder's page as Apache writes it."""
    rows = "".join(f'<a href="{n}">{n}</a>{"":>{30 - len(n)}} 2026-01-29 14:48   19M  \n' for n in names)
    return (
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">\n<html>\n <head>\n'
        f"  <title>Index of {path}</title>\n </head>\n <body>\n<h1>Index of {path}</h1>\n"
        "<pre>Name                           Last modified      Size  <hr>"
        '<a href="/pubmed/">Parent Directory</a>                                 -   \n'
        f"{rows}<hr></pre>\n</body></html>\n"
    )


class FileServer(ThreadingHTTPServer):
    """Serves from its first use as a context manager to its end, in threads of its own."""

    daemon_threads = False  # so that server_close waits for them

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.requests: list[Request] = []
        self.most_connections = 0
        self.lock = threading.Lock()
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}
        self._connections: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def fail(self, path: str, *faults: Fault) -> None:
        """Let the next answers for a path fail, one fault each."""
        self._faults[path].extend(faults)

    def always(self, path: str, fault: Fault) -> None:
        """Let every answer for a path fail, after those of `fail`."""
        self._always[path] = fault

    def heal(self) -> None:
        """Forget all faults that did not happen yet."""
        self._faults.clear()
        self._always.clear()

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def begin(self, request: Request) -> Fault:
        with self.lock:
            self.requests.append(request)
            if waiting := self._faults[request.path]:
                return waiting.popleft()
            return self._always.get(request.path, Fault())

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.lock:
            self._connections.add(request)
            self.most_connections = max(self.most_connections, sum(map(_is_open, self._connections)))
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self.lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients that leave are what the tests are about

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self._thread.join()
        with self.lock:
            for connection in self._connections:
                _hang_up(connection)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        server = cast(FileServer, self.server)
        request = Request(self.path, self.headers.get("Range"), self.command, self.headers["User-Agent"] or "")
        fault = server.begin(request)
        if fault.drop:
            return self._leave()
        found = self._content(server.folder) if fault.body is None else (fault.body, 0.0)
        if fault.status != 200 or found is None:
            return self._refuse(request, fault.status if fault.status != 200 else 404, fault.retry_after)
        content, modified = found
        start = _range_start(request.range)
        if start is None or fault.ignore_range:
            self._head(request, 200, len(content), modified, fault.chunked)
            return self._send(request, content, fault)
        if start >= len(content):
            return self._refuse(request, 416, None, len(content))
        self._head(request, 206, len(content), modified, fault.chunked, start)
        return self._send(request, content[start:], fault)

    def _content(self, folder: Path) -> tuple[bytes, float] | None:
        path = folder / self.path.lstrip("/")
        if path.is_dir() and self.path.endswith("/"):
            return listing_page(self.path, sorted(f.name for f in path.iterdir())).encode(), path.stat().st_mtime
        return (path.read_bytes(), path.stat().st_mtime) if path.is_file() else None

    def _refuse(self, request: Request, status: int, retry_after: str | None, size: int | None = None) -> None:
        request.status = status
        self.send_response(status)
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        if size is not None:
            self.send_header("Content-Range", f"bytes */{size}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _head(
        self, request: Request, status: int, size: int, modified: float, chunked: bool, start: int | None = None
    ) -> None:
        request.status = status
        self.send_response(status)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{size:x}-{int(modified):x}"')
        self.send_header("Last-Modified", formatdate(modified, usegmt=True))
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(size - (start or 0)))
        self.end_headers()

    def _send(self, request: Request, body: bytes, fault: Fault) -> None:
        if request.method == "HEAD":
            return None
        ends = [end for end in (fault.cut, fault.stall) if end is not None and end <= len(body)]
        end = min(ends, default=len(body))
        block = BLOCK if fault.rate is None else max(1, min(BLOCK, int(fault.rate / 20)))
        for at in range(0, end, block):
            piece = body[at : min(at + block, end)]
            request.sent += len(piece)  # before the client can have it
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if fault.chunked else piece)
            if fault.rate is not None:
                time.sleep(len(piece) / fault.rate)
                if not _is_open(self.connection):
                    return self._leave()
        if ends:
            if fault.stall == end:
                select.select([self.connection], [], [])  # readable when the client leaves
            return self._leave()
        if fault.chunked:
            self.wfile.write(b"0\r\n\r\n")
        return None

    def _leave(self) -> None:
        self.close_connection = True
        _hang_up(self.connection)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _range_start(header: str | None) -> int | None:
    return int(header.removeprefix("bytes=").partition("-")[0]) if header else None


def _is_open(connection: socket.socket) -> bool:
    """Return whether the other end has not closed a connection."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it was closed already
