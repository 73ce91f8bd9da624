"""A server on loopback that takes what is posted to it, or refuses it as often as is wanted."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.loopback import loopback_server

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

    with loopback_server(Handler) as url:
        hook = Webhook(f"{url}{PATH}", list(answers))
        yield hook
