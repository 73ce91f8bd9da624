"""A server of S3's protocol in this process: quick, without authentication."""

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from actors.store import s3_client


class OneAtATime:
    """Compares and puts in one step, as S3 does: moto's threads come between, and two clients would both be right."""

    def __init__(self, server: Any) -> None:
        self._server, self._lock = server, threading.Lock()

    def __call__(self, request: dict[str, Any], begin: Any) -> Iterable[bytes]:
        conditional = {"HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"} & request.keys()
        with self._lock if request["REQUEST_METHOD"] == "PUT" and conditional else nullcontext():
            return self._server(request, begin)


@contextmanager
def moto_server() -> Iterator[str]:
    """Run one, with an empty bucket `b-1`; return its address. Clients of this process and its children ask it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    listening: Any = server._server
    listening.app = OneAtATime(listening.app)
    host, port = server.get_host_and_port()
    with environment(f"http://{host}:{port}"):
        s3_client.client().makedirs("b-1", exist_ok=True)
        yield f"http://{host}:{port}"
    server.stop()


@contextmanager
def environment(address: str, key: str = "test", secret: str = "test") -> Iterator[None]:
    """Let clients ask a server at an address, and forget those that asked another."""
    values = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        forget_clients()
        yield
    forget_clients()


def forget_clients() -> None:
    if s3_client.client.cache_info().currsize and (asked := s3_client.client())._s3 is not None:
        asked.close_session(asked.loop, asked._s3)
    s3_client.client.cache_clear()
    s3_client.range_client.cache_clear()
    s3_client._allowed.clear()
