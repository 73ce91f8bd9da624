"""A server of S3's protocol in a process of its own, behind a proxy that counts and is as slow as it is told to be."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from actors.store.s3_client import client
from tests.support.s3.fault_proxy import FaultProxy, fault_proxy
from tests.support.s3.moto_server import environment

SECONDS = 30
"""How long the server may take to come up."""


@dataclass
class Bucket:
    """The server's own address, and the proxy that clients ask."""

    address: str
    proxy: FaultProxy
    process: int
    restart: Callable[[], int] | None = None
    """Starts a server that was killed, with all that it had, and returns its process; None: it would have nothing."""


@contextmanager
def bucket() -> Iterator[Bucket]:
    """Run it with a bucket `b-1`; clients of this process and its children ask the proxy."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ,
    )
    try:
        _wait(port)
        address = f"http://127.0.0.1:{port}"
        with fault_proxy(address) as proxy, environment(proxy.address):
            client().makedirs("b-1", exist_ok=True)
            yield Bucket(address, proxy, server.pid)
    finally:
        server.kill()
        server.wait()


def _wait(port: int) -> None:
    until = time.monotonic() + SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
