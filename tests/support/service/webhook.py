"""A server on loopback that takes what is posted to it, or refuses it as often as is wanted."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATH = "/services/secret"


@dataclass
class Webhook:
    """Answers 200, after other answers have been given; 0: the connection is cut."""

    url: str
    answers: list[int]
    taken: list[dict[str, Any]] = field(default_factory=list)
    """What came, whatever was answered."""


@contextmanager
def webhook(*answers: int) -> Iterator[Webhook]:
    """Run one."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            assert self.path == PATH
            if status := hook.answers.pop(0) if hook.answers else 200:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook = Webhook(f"http://127.0.0.1:{server.server_address[1]}{PATH}", list(answers))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hook
        finally:
            server.shutdown()
            thread.join()
