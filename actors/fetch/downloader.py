"""HTTP as a polite guest: few connections, back-off, and no byte asked for twice.

Resuming sends no If-Range: NCBI answers from several machines whose ETags need not agree. Whoever fetches checks the
whole by a digest, which finds a part of an older edition too.
"""

import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import BinaryIO, TypeVar

import httpx

from retrieval.ingest.http_headers import content_range, retry_after_seconds
from schemas.errors import AbsentError, InputError

CONNECTIONS = 2
"""NCBI answers 503 to more."""
FAILURES = 10
"""So many failures in a row without progress end a request; the waits between them add up to some three minutes."""
LONGEST_WAIT = 60.0
LONGEST_RETRY_AFTER = 3600.0
"""A server that wants to be left alone for longer is not asked again by this run."""

TRANSIENT = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)

T = TypeVar("T")


class _TransientError(Exception):
    """What may go away when the request is repeated, and after how many seconds the server says it will."""

    def __init__(self, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Downloader:
    """Requests that are repeated until they succeed. Threads may share it: they have two connections between them.

    InputError: the server does not give it; names the URL and the last failure. AbsentError, which is one: it is not
    there. CancelledError: after `stop`.
    """

    def __init__(
        self,
        sleep: Callable[[float], object] | None = None,
        on_retry: Callable[[str], None] | None = None,
        read_timeout: float = 60.0,
        agent: str = "pubray",
    ) -> None:
        """Nothing is requested yet. The callbacks are called in the thread that fetches.

        sleep: waits some seconds; if None, until `stop` at most. on_retry: is given a line that says what went wrong
        and how long is waited. read_timeout: seconds after which a silent connection is given up. agent: who asks.
        """
        self._stopping = threading.Event()
        self._sleep = sleep or self._stopping.wait
        self._on_retry = on_retry
        self._reading: set[httpx.Response] = set()
        self._client = httpx.Client(
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
            timeout=httpx.Timeout(read_timeout, pool=None),
            follow_redirects=True,
            headers={"User-Agent": agent, "Accept-Encoding": "identity"},
        )

    def close(self) -> None:
        """Close the connections; no other thread may be fetching."""
        self._client.close()

    def stop(self) -> None:
        """End what runs in other threads, and refuse all that is asked later; parts are kept.

        Waits and transfers end at once, a request that has no answer yet after `read_timeout` at the latest.
        """
        self._stopping.set()
        for response in tuple(self._reading):
            connection = response.extensions["network_stream"].get_extra_info("socket")
            # A thread that waits for bytes is not woken by closing its socket, only by shutting it down; and not by the
            # method of an SSLSocket, which would have that thread go on without decryption.
            with suppress(OSError):  # it may be closed by now
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def get(self, url: str, parse: Callable[[str], T]) -> T:
        """Return what is read from a small document; one that cannot be read is asked for again."""

        def ask() -> T:
            with self._answer(url) as response:
                response.read()
            try:
                return parse(response.text)
            except InputError as error:
                raise _TransientError(str(error)) from error

        return self._repeated(url, ask)

    def length(self, url: str) -> int:
        """Return of how many bytes a file is, without fetching it; a server that does not say is an InputError too."""

        def ask() -> int | None:
            with self._answer(url, method="HEAD") as response:
                return _extent(response)[1]

        if (length := self._repeated(url, ask)) is None:
            raise InputError(f"{url}: the server does not say how long it is; give the address of another mirror")
        return length

    def download(self, url: str, part: BinaryIO) -> None:
        """Bring a part, a file open for appending, from where it stands to the length that the server tells.

        Only what makes it longer than ever counts as progress, so a server that starts over and over is given up.
        """
        self._repeated(url, lambda: self._continue(url, part), reached=lambda: _size(part))

    def _continue(self, url: str, part: BinaryIO) -> None:
        offset = _size(part)
        with self._answer(url, offset) as response:
            start, total = _extent(response)
            if response.status_code == 416 and total == offset:
                return  # nothing was missing but the check
            if start != offset:
                part.truncate(0)
            if start not in (0, offset):
                raise _TransientError(f"{response.status_code} to a request for bytes {offset}-")
            for chunk in response.iter_raw():
                self._check_stopped()
                part.write(chunk)
                part.flush()
        if total is not None and _size(part) != total:
            raise _TransientError(f"{_size(part):,} of {total:,} bytes came")

    def retry_after(self, seconds: float, reason: str) -> None:
        """Tell what went wrong and that it is tried again, and wait so long."""
        if self._on_retry:
            self._on_retry(f"{reason}; again in {seconds:,.0f} s")
        self.pause(seconds)

    def pause(self, seconds: float) -> None:
        self._sleep(seconds)
        self._check_stopped()

    @contextmanager
    def _answer(self, url: str, offset: int = 0, method: str = "GET") -> Iterator[httpx.Response]:
        """Yield an answer of which the body is still to be read; failures of reading it are transient too."""
        self._check_stopped()
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        try:
            with self._client.stream(method, url, headers=headers) as response:
                _check_status(url, response, {200, 206, 416} if offset else {200})
                self._reading.add(response)
                try:
                    self._check_stopped()
                    yield response
                finally:
                    self._reading.discard(response)
        except TRANSIENT as error:
            self._check_stopped()
            raise _TransientError(str(error) or type(error).__name__) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise InputError(f"{url}: {error}; give the address of a mirror of PubMed") from error

    def _repeated(self, url: str, ask: Callable[[], T], reached: Callable[[], int] = lambda: 0) -> T:
        """Ask until it succeeds. A failure before which more was `reached` than ever is the first in a row."""
        longest, failures = reached(), 0
        while True:
            try:
                return ask()
            except _TransientError as error:
                longest, failures = (size, 1) if (size := reached()) > longest else (longest, failures + 1)
                if failures == FAILURES:
                    raise InputError(
                        f"{url}: given up after {FAILURES} failures in a row, the last one: {error}; run again to "
                        "continue"
                    ) from error
                if error.retry_after > LONGEST_RETRY_AFTER:
                    raise InputError(
                        f"{url}: {error}, with Retry-After of {error.retry_after:,.0f} s; run again when that is over"
                    ) from error
                self.retry_after(max(backoff(failures), error.retry_after), f"{url}: {error}")

    def _check_stopped(self) -> None:
        if self._stopping.is_set():
            raise CancelledError("fetching was stopped")


def backoff(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row: up to 1, 2, 4 … 60, half of it random."""
    return min(2.0 ** (failures - 1), LONGEST_WAIT) * random.uniform(0.5, 1.0)


def _check_status(url: str, response: httpx.Response, wanted: set[int]) -> None:
    status = response.status_code
    reason = f"{status} {response.reason_phrase}"
    if status >= 500 or status in (408, 429):
        asked = response.headers.get("Retry-After", "")
        raise _TransientError(reason, retry_after_seconds(asked, datetime.now(UTC)))
    if status not in wanted:
        kind = AbsentError if status in (404, 410) else InputError
        raise kind(f"{url}: the server answers {reason}; check the address, or try again later")


def _extent(response: httpx.Response) -> tuple[int | None, int | None]:
    """Return at which byte of the file an answer starts (None: it has none), and the file's length if it says so."""
    if response.status_code == 200:
        length = response.headers.get("Content-Length")
        return 0, int(length) if length else None
    return content_range(response.headers.get("Content-Range", ""))


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size
