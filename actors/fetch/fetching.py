"""Several things fetched at a time, each handed on as soon as it is there."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from actors.fetch.downloader import CONNECTIONS

K = TypeVar("K")


class Finished(Generic[K]):
    """Futures by what they are of, one after the other as they finish; more can be added meanwhile."""

    def __init__(self) -> None:
        # Not concurrent.futures.wait(): Ctrl-C inside may leave its locks held, and then no thread ever ends.
        self._finished = SimpleQueue[tuple[K, Future[Any]]]()
        self._left = 0

    def add(self, key: K, future: Future[Any]) -> None:
        """Hand this one on too when it has finished, whether it succeeded or not."""
        self._left += 1
        future.add_done_callback(lambda finished: self._finished.put((key, finished)))

    def __iter__(self) -> Iterator[tuple[K, Future[Any]]]:
        while self._left:
            yield self._finished.get()
            self._left -= 1


@contextmanager
def fetching(fetch: Callable[[K], object], keys: Iterable[K], stop: Callable[[], None]) -> Iterator[Finished[K]]:
    """Call `fetch` with each key, in as many threads as there are connections; give what to iterate over.

    If the block is left by an error, or early, `stop` is called: it is to end what runs.
    """
    finished, pool = Finished[K](), ThreadPoolExecutor(CONNECTIONS)
    try:
        for key in keys:
            finished.add(key, pool.submit(fetch, key))
        yield finished
    except BaseException:
        stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
