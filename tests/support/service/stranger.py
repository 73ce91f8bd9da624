"""A service that is not pubray's."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


class Stranger(BaseHTTPRequestHandler):
    """Some other service; below /echo it says what it was asked."""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200 if self.path.startswith("/happy") else 500)
        self.end_headers()
        self.wfile.write(asked if self.path.startswith("/echo") else b"<html>\n<body>hello</body>\n</html>")

    def log_message(self, format: str, *args: object) -> None:
        """Be silent."""


@contextmanager
def stranger_service() -> Iterator[str]:
    """Run one; give its address."""
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
