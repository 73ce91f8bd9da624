"""A service that is not pubray's."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from tests.support.loopback import loopback_server


class Stranger(BaseHTTPRequestHandler):
    """Some other service; below /echo it says what it was asked."""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200 if self.path.startswith("/happy") else 500)
        self.end_headers()
        self.wfile.write(asked if self.path.startswith("/echo") else b"<html>\n<body>hello</body>\n</html>")


@contextmanager
def stranger_service() -> Iterator[str]:
    """Run one; give its address."""
    with loopback_server(Stranger) as url:
        yield url
