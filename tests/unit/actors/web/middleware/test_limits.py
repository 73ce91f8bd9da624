import asyncio
import gzip
import os
import tracemalloc
import zlib
from collections.abc import Awaitable

import pytest
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.web.middleware.limits import MAX_BODY_BYTES, MAX_TEXTS_BYTES, TEXTS_PATHS, with_body_limit, within
from schemas.errors import DeadlineError

PACKED_BOMB = gzip.compress(bytes(100_000_000), 1)


class Reader:
    """An application that reads a request to its end, and counts."""

    def __init__(self) -> None:
        self.read = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            message = await receive()
            self.read += len(message.get("body", b""))
            more = message.get("more_body", False)


async def limited(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await with_body_limit(app)(scope, receive, send)


def read(path: str, *pieces: int) -> int:
    """Return how much of a body of such pieces the application gets."""
    return read_pieces(path, [bytes(size) for size in pieces])


def read_pieces(path: str, pieces: list[bytes], encoding: str | None = None) -> int:
    left: list[Message] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    left[-1]["more_body"] = False
    headers = [(b"content-encoding", encoding.encode())] if encoding else []

    async def receive() -> Message:
        return left.pop(0)

    async def send(message: Message) -> None:
        raise AssertionError(message)

    reader = Reader()
    asyncio.run(limited(reader, {"type": "http", "path": path, "headers": headers}, receive, send))
    return reader.read


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/v1/search", MAX_BODY_BYTES),
        ("/nowhere", MAX_BODY_BYTES),
        *((path, MAX_TEXTS_BYTES) for path in sorted(TEXTS_PATHS)),
    ],
)
def test_a_body_is_read_up_to_the_limit_of_its_path_however_it_is_cut(path: str, limit: int) -> None:
    assert read(path, limit) == read(path, limit - 1, 1) == read(path, 1, 0, limit - 1) == limit
    for pieces in ([limit + 1], [limit, 1], [1, limit - 1, 0, 1]):
        with pytest.raises(HTTPException, match=f"body of more than {limit} bytes; send less at a time") as caught:
            read(path, *pieces)
        assert caught.value.status_code == 413


def cut(packed: bytes, size: int = 1000) -> list[bytes]:
    return [packed[start : start + size] for start in range(0, len(packed), size)]


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", " x-gzip"])
def test_gzip_is_unpacked_up_to_the_limit(encoding: str) -> None:
    for body in (bytes(MAX_BODY_BYTES), os.urandom(MAX_BODY_BYTES), b"{}"):
        assert read_pieces("/v1/search", cut(gzip.compress(body, 1)), encoding) == len(body)
    for body in (bytes(MAX_BODY_BYTES + 1), bytes(50 * MAX_BODY_BYTES), os.urandom(MAX_BODY_BYTES + 1)):
        with pytest.raises(HTTPException, match="body of more than 1000000 bytes") as caught:
            read_pieces("/v1/search", cut(gzip.compress(body, 1)), encoding)
        assert caught.value.status_code == 413


def test_of_what_unpacks_to_more_than_the_limit_no_more_is_unpacked() -> None:
    tracemalloc.start()
    with pytest.raises(HTTPException, match="body of more than 1000000 bytes"):
        read_pieces("/v1/search", [PACKED_BOMB], "gzip")
    assert tracemalloc.get_traced_memory()[1] < 10 * MAX_BODY_BYTES
    tracemalloc.stop()


def test_what_unpacks_to_nothing_has_a_limit_too() -> None:
    stream = zlib.compressobj(wbits=31)
    nothing = [stream.compress(b"{") + stream.flush(zlib.Z_FULL_FLUSH)]
    nothing += [stream.flush(zlib.Z_FULL_FLUSH) or b"\0\0\0\xff\xff" for _ in range(250_000)]
    with pytest.raises(HTTPException, match="body of more than 1000000 bytes"):
        read_pieces("/v1/search", [b"".join(nothing)], "gzip")


@pytest.mark.parametrize(
    "packed",
    [b"{}", b"", gzip.compress(b"{}")[:-3], gzip.compress(b"{}") + b"{}", b"\x1f\x8b\x08" + bytes(30)],
    ids=["plain", "empty", "cut", "more", "header"],  # gzip has the time in it, and names are to be the same
)
def test_gzip_that_is_broken_is_refused_in_one_line(packed: bytes) -> None:
    with pytest.raises(HTTPException, match="body: no whole gzip, or more after it") as caught:
        read_pieces("/v1/search", [packed], "gzip")
    assert caught.value.status_code == 400


def test_another_encoding_is_refused_by_its_name() -> None:
    with pytest.raises(HTTPException, match="content-encoding 'br': send gzip, or JSON as it is") as caught:
        read_pieces("/v1/search", [b"{}"], "br")
    assert caught.value.status_code == 400
    assert read_pieces("/v1/search", [b"{}"], "identity") == 2


def test_each_request_has_a_limit_of_its_own() -> None:
    app = with_body_limit(Reader())

    async def request() -> None:
        await app({"type": "http", "path": "/v1/search", "headers": []}, receive, send)

    async def receive() -> Message:
        return {"type": "http.request", "body": bytes(MAX_BODY_BYTES)}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    for _ in range(3):
        asyncio.run(request())


def test_what_has_no_path_passes() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        assert await receive() == {"type": "lifespan.startup"}

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    asyncio.run(limited(app, {"type": "lifespan"}, receive, send))
    assert scopes == [{"type": "lifespan"}]


def test_an_answer_within_its_time_is_returned_and_a_failure_is_its_own() -> None:
    async def answer() -> int:
        return 7

    async def failure() -> int:
        raise ValueError("its own")

    assert asyncio.run(within(5, answer())) == 7
    with pytest.raises(ValueError, match="its own"):
        asyncio.run(within(5, failure()))


def test_work_that_takes_longer_is_cancelled_and_told_in_one_line() -> None:
    ended: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def ask(answer: Awaitable[None]) -> None:
        await within(0.01, answer)

    with pytest.raises(DeadlineError, match=r"^no answer within 0\.01 s; try again, or ask for less$"):
        asyncio.run(ask(slow()))
    assert ended == ["cancelled"]
