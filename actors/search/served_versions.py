"""Which index version answers a request: the newest that the searchers have; who does not have it is asked the last."""

import logging
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
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


class ServedVersions:
    """The version that answers, the one that is to follow it, and the one before.

    A request is answered from one version alone: where a searcher does not have the newer one yet, all of the request
    is answered again from the older one. Searchers are not ready at the same time, so that this may be so for a while
    after others have answered from the newer.
    """

    def __init__(self, first: IndexVersion, clock: Callable[[], float] = time.monotonic) -> None:
        self._answering = first
        self._next: IndexVersion | None = None
        self._before: IndexVersion | None = None
        self._problem: str | None = None
        self._follower: Follower | None = None
        self._clock, self._rested = clock, 0.0

    @property
    def answering(self) -> IndexVersion:
        return self._answering

    def follow(self, follower: "Follower") -> None:
        """Tell of its problems too, and start it."""
        self._follower = follower
        follower.start()

    def propose(self, version: IndexVersion) -> None:
        """Let a version follow, or none if it answers already. May be called from another thread."""
        self._next = None if version.id == self._answering.id else version
        self._rested, self._problem = 0.0, None

    async def answer(self, call: Callable[[IndexVersion], Awaitable[T]]) -> T:
        """Return what a call makes of a version; NotReadyError: the searchers have none of them."""
        following = self._next
        if following and self._clock() >= self._rested:
            try:
                answer = await call(following)
            except NotReadyError as error:
                self._rested, self._problem = self._clock() + REST_SECONDS, str(error)
            else:
                if self._next is following:  # and not one that came meanwhile
                    self._before, self._answering, self._next, self._problem = self._answering, following, None, None
                return answer
        try:
            return await call(self._answering)
        except NotReadyError:
            for other in (self._before, following):
                if other:
                    with suppress(NotReadyError):
                        return await call(other)
            raise

    def readiness(self) -> Readiness:
        pending = self._next
        unusable = self._follower.problem if self._follower else None
        return Readiness(
            version=self._answering.id,
            pending=pending and pending.id,
            problem=unusable or (self._problem if pending else None),
        )


class Follower:
    """Looks at CURRENT in a thread, and hands on each version that it comes to name."""

    def __init__(self, root: str, read: Callable[[], IndexVersion], arrived: Callable[[IndexVersion], None]) -> None:
        """`read` returns the version that CURRENT names; the first one arrives too. root: of the store."""
        self._root, self._read, self._arrived = root, read, arrived
        self._known = ""
        self.problem: str | None = None
        """Why the version that CURRENT names was not taken, for clients; it is tried again at each look."""

    def start(self) -> None:
        """Look once, and then in a thread until the process ends."""
        self.look()
        threading.Thread(target=self._look_for_ever, name="follower", daemon=True).start()

    def look(self) -> None:
        try:
            version = self._read()
            if version.id != self._known:
                self._arrived(version)
                self._known = version.id
            self.problem = None
        except Exception as error:  # whatever it is, the version before goes on, and the next look may be better
            problem = self._told(error)
            if self.problem != problem:
                LOG.error("the version that CURRENT names is not served", exc_info=error)
            self.problem = problem

    def _told(self, error: Exception) -> str:
        """Return what clients are told, which is not where the store is."""
        if not isinstance(error, PubrayError):
            return "the version that CURRENT names cannot be taken; the service's log says why"
        return str(error).replace(f"{self._root}/", "").replace(f"{self._root} ", "")

    def _look_for_ever(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            self.look()
