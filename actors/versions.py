"""Which index version answers a request: the newest that the searchers have, and until they have it the one before."""

import logging
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from schemas.errors import NotReadyError, PubrayError
from schemas.manifest import IndexVersion
from schemas.search import Readiness

T = TypeVar("T")
LOG = logging.getLogger("pubray")

LOOK_SECONDS = 1.0
"""How often CURRENT is looked at."""
REST_SECONDS = 0.25
"""How long a version that a searcher did not have is not asked for."""


class Versions:
    """The version that answers, and the one that is to follow it.

    A request is answered from one version alone: where a searcher does not have the newer one yet, all of the request
    is answered again from the older one.
    """

    def __init__(self, first: IndexVersion, clock: Callable[[], float] = time.monotonic) -> None:
        """Answer from `first`."""
        self._answering = first
        self._next: IndexVersion | None = None
        self._problem: str | None = None
        self._clock, self._rested = clock, 0.0

    @property
    def answering(self) -> IndexVersion:
        """The version that answers."""
        return self._answering

    def propose(self, version: IndexVersion) -> None:
        """Let a version follow, or none if it answers already. May be called from another thread."""
        self._next = None if version.id == self._answering.id else version
        self._rested, self._problem = 0.0, None

    async def answer(self, call: Callable[[IndexVersion], Awaitable[T]]) -> T:
        """Return what a call makes of a version.

        Raises:
            NotReadyError: a searcher has neither version.
        """
        following = self._next
        if following and self._clock() >= self._rested:
            try:
                answer = await call(following)
            except NotReadyError as error:
                self._rested, self._problem = self._clock() + REST_SECONDS, str(error)
            else:
                self._follow(following)
                return answer
        try:
            return await call(self._answering)
        except NotReadyError:
            if following is None:
                raise
            return await call(following)

    def readiness(self) -> Readiness:
        """Return what answers and what is to follow."""
        pending = self._next
        return Readiness(
            version=self._answering.id, pending=pending and pending.id, problem=self._problem if pending else None
        )

    def _follow(self, version: IndexVersion) -> None:
        if self._next is version:
            self._answering, self._next, self._problem = version, None, None


class Follower:
    """Looks at CURRENT in a thread, and hands on each version that it comes to name."""

    def __init__(self, read: Callable[[], IndexVersion], arrived: Callable[[IndexVersion], None]) -> None:
        """`read` returns the version that CURRENT names; the first one arrives too."""
        self._read, self._arrived = read, arrived
        self._known = ""
        self.problem: str | None = None
        """Why the version that CURRENT names was not taken; it is tried again at each look."""

    def start(self) -> None:
        """Look once, and then in a thread until the process ends."""
        self.look()
        threading.Thread(target=self._look_for_ever, name="follower", daemon=True).start()

    def look(self) -> None:
        """Look once."""
        try:
            version = self._read()
            if version.id != self._known:
                self._arrived(version)
                self._known = version.id
            self.problem = None
        except PubrayError as error:
            if self.problem != str(error):
                LOG.error("the version that CURRENT names is not served: %s", error)
            self.problem = str(error)

    def _look_for_ever(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            self.look()
