"""One writer to a bucket, where no lock ends with its process: an object that is renewed while the writer lives.

Who lets it expire is succeeded, and may not know it: a machine that sleeps, a network that is cut. So the successor
changes CURRENT too (`jobs.common.writer`), and what was to replace CURRENT as it was before does not.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from pydantic import ValidationError

from schemas.errors import IntegrityError, StoreError, WriterError
from schemas.layout import Layout
from schemas.writers import Holder, Lease

LOOK_SECONDS = 1.0
"""How often a holder looks whether his time is over, whatever his requests wait for."""
RENEWALS = 4
"""In the time for which a lease holds; who has missed two is waited for rather than believed to be alive."""


class Swapped(Protocol):
    """What a lease needs of a store."""

    @property
    def root(self) -> str: ...

    def read(self, key: str) -> bytes | None: ...

    def swap(self, key: str, expected: bytes | None, new: bytes) -> bool: ...

    def now(self) -> int: ...


def awake() -> float:
    """Return seconds of a clock that goes on while the machine sleeps, where there is one (Linux)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@contextmanager
def held(
    store: Swapped,
    holder: Holder,
    seconds: float,
    *,
    pause: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = awake,
) -> Iterator[None]:
    """Take the lease, renew it in a thread, say in another when it is lost, give it back.

    Raises:
        WriterError: somebody else has it.
    """
    taken, until = _take(store, holder, seconds, pause, clock)
    stop = threading.Event()
    mine = _Mine(store, holder, seconds, taken, until, clock)
    works = (mine.renew, mine.watch)
    threads = [threading.Thread(target=work, args=(stop,), name="lease", daemon=True) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(LOOK_SECONDS)  # a request may wait for minutes
        mine.give_back()


def read_lease(store: Swapped) -> tuple[bytes | None, Lease | None]:
    """Return the lease as it is, and what it says: None if it is nobody's."""
    content = store.read(Layout.lease)
    if content is None:
        return None, None
    try:
        lease = Lease.model_validate_json(content)
    except ValidationError:
        raise IntegrityError(f"{store.root}/{Layout.lease}: not a lease; pubray lease --break removes it") from None
    return content, lease if lease.expires else None


def _take(
    store: Swapped, holder: Holder, seconds: float, pause: Callable[[float], object], clock: Callable[[], float]
) -> tuple[bytes, float]:
    """Return the lease as it was written, and until when, by the clock, it holds."""
    while True:
        content, lease = read_lease(store)
        asked, now = clock(), store.now()
        if lease and lease.expires > now:
            if now - lease.renewed < 2e9 * seconds / RENEWALS:
                raise WriterError(f"store {store.root}: {told_of(lease)} is writing; wait until it has ended")
            pause(min(1.0, (lease.expires - now) / 1e9))
            continue
        mine = _content(holder, now, seconds)
        if store.swap(Layout.lease, content, mine):
            return mine, asked + seconds


def told_of(lease: Lease) -> str:
    """Return who has a lease, since when, and how far he is."""
    return f"{lease.who} ({lease.doing})," if lease.doing else f"{lease.who},"


def _content(holder: Holder, now: int, seconds: float) -> bytes:
    lease = Lease(run=holder.run, who=holder.who, doing=holder.doing(), renewed=now, expires=now + int(seconds * 1e9))
    return lease.model_dump_json(indent=1).encode()


class _Mine:
    """The lease that a run has, as it was written last."""

    def __init__(
        self,
        store: Swapped,
        holder: Holder,
        seconds: float,
        content: bytes,
        until: float,
        clock: Callable[[], float],
    ) -> None:
        self._store, self._holder, self._seconds, self._clock = store, holder, seconds, clock
        self._content, self._until = content, until
        self._lost = False

    def renew(self, stop: threading.Event) -> None:
        """Renew it until `stop`, or until it is somebody else's."""
        while not stop.wait(self._seconds / RENEWALS):
            asked = self._clock()
            try:
                new = _content(self._holder, self._store.now(), self._seconds)
                if new != self._content and not self._store.swap(Layout.lease, self._content, new):
                    self._lost = True
                    return
            except StoreError:  # the network may come back
                continue
            self._content, self._until = new, asked + self._seconds

    def watch(self, stop: threading.Event) -> None:
        """Say so when it is lost, or its time is over, whatever `renew` waits for."""
        while not self._lost and (left := self._until - self._clock()) > 0:
            if stop.wait(min(left, LOOK_SECONDS)):
                return
        self._lost = True
        self._holder.lost()

    def give_back(self) -> None:
        if self._lost:
            return
        given = Lease.model_validate_json(self._content).model_copy(update={"expires": 0})
        with suppress(StoreError):  # it expires, and what was done is done
            self._store.swap(Layout.lease, self._content, given.model_dump_json(indent=1).encode())
