"""What EC2 tells an instance of itself, as far as it is about its end: version 2, with tokens."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

from tests.support.loopback import loopback_server

TOKEN = "a token"
ACTION = "/latest/meta-data/spot/instance-action"


@dataclass
class Metadata:
    """The service of one instance."""

    url: str
    asked: int = 0
    """How often it was asked for a notice by who has a token."""
    goes: str | None = None
    """When the instance is taken away; None: that is not known."""

    def take_away(self, seconds: float) -> None:
        """Give notice."""
        self.goes = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def instance_metadata() -> Iterator[Metadata]:
    """Run one."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            known = self.path == "/latest/api/token" and "X-aws-ec2-metadata-token-ttl-seconds" in self.headers
            self._answer(200 if known else 400, TOKEN)

        def do_GET(self) -> None:
            if self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
                return self._answer(401, "")
            of.asked += 1
            if self.path != ACTION or of.goes is None:
                return self._answer(404, "")
            return self._answer(200, json.dumps({"action": "terminate", "time": of.goes}))

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

    with loopback_server(Handler) as url:
        of = Metadata(url)
        yield of
