"""An application under test: asked in process, or served to real clients on loopback."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp


def ask(app: ASGIApp, method: str, path: str, **request: Any) -> httpx.Response:
    """Return the answer to one request."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://pubray") as client:
            return await client.request(method, path, **request)

    return asyncio.run(send())


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """Serve an application; yield its URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
