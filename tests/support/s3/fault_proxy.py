"""A proxy before a server of S3's protocol: it loses replies, says SlowDown or AccessDenied, resets, cuts, counts."""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Kind = Literal["lose", "slow down", "deny", "reset", "cut"]
ERRORS = {
    "slow down": (503, "SlowDown", "Please reduce your request rate."),
    "deny": (403, "AccessDenied", "Access Denied"),
}


@dataclass
class Fault:
    """What becomes of the next `times` requests whose first line has a pattern."""

    kind: Kind
    pattern: str
    times: int


@dataclass
class Seen:
    """A request, and the bytes that its answer brings, without the lines before them."""

    line: str
    bytes: int
    sent: int = 0
    """Bytes of what it brought."""


@dataclass
class FaultProxy:
    """Passes on to a server, except where a fault is next."""

    target: str
    latency: float = 0
    """Seconds before each answer."""
    port: int = 0
    faults: list[Fault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    conditions: asyncio.Lock = field(default_factory=asyncio.Lock)
    """moto looks at a condition and writes in two steps, between which its other threads run: it gets one at a time."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fault(self, kind: Kind, pattern: str, times: int = 1) -> None:
        self.faults.append(Fault(kind, pattern, times))

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether another may follow."""
        head = await reader.readuntil(b"\r\n\r\n")
        line = head.split(b"\r\n")[0].decode()
        if re.search(rb"(?i)\r\nexpect: 100-continue", head):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = re.sub(rb"(?i)\r\nexpect: 100-continue", b"", head)
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        fault = next((f for f in self.faults if f.times and re.search(f.pattern, line)), None)
        if fault:
            fault.times -= 1
        if self.latency:
            await asyncio.sleep(self.latency)
        if fault and fault.kind in ERRORS:
            writer.write(error(*ERRORS[fault.kind], with_body=not line.startswith("HEAD")))
            self.seen.append(Seen(line, 0))
            return True
        if fault and fault.kind == "reset":
            return False
        async with self.conditions if re.search(rb"(?i)\r\nif-(none-)?match:", head) else nullcontext():
            reply = await self._asked(head, body)
        self.seen.append(Seen(line, len(reply.partition(b"\r\n\r\n")[2]), len(body)))
        if fault and fault.kind == "lose":
            return False
        writer.write(reply[: len(reply) // 2] if fault else reply)
        await writer.drain()
        return False

    async def _asked(self, head: bytes, body: bytes) -> bytes:
        server = urlsplit(self.target)
        reader, writer = await asyncio.open_connection(server.hostname, server.port)
        head = re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", head)
        writer.write(head.removesuffix(b"\r\n\r\n") + b"\r\nConnection: close\r\n\r\n" + body)
        await writer.drain()
        reply = await reader.read(-1)
        writer.close()
        return reply


def error(status: int, code: str, message: str, *, with_body: bool) -> bytes:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    head = f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + (body if with_body else b"")


@contextmanager
def fault_proxy(target: str) -> Iterator[FaultProxy]:
    """Run one before a server."""
    proxy, ready = FaultProxy(target), threading.Event()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with await asyncio.start_server(proxy.answer, "127.0.0.1", 0) as server:
            proxy.port = server.sockets[0].getsockname()[1]
            ready.set()
            await stop.wait()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    ready.wait()
    yield proxy
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()
