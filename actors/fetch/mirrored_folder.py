"""A folder of files from a server: each is there whole, or not there. Several are fetched at a time.

What is fetched lies in `.<name>.part`, under a lock, until it is whole; then it is renamed. A part outlives its process
and is continued.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO, Generic, Self, TypeVar

from actors.fetch.downloader import CONNECTIONS, Downloader
from retrieval.files.atomic import lock, sync
from schemas.errors import StoreError

LOCK_POLL_SECONDS = 0.5


class MirroredFolder:
    """Fetches what a folder lacks. Threads may share it; what another process is fetching is waited for.

    InputError: the server does not give a file, or not as it announced it. StoreError: the folder cannot be written;
    what was fetched is kept. CancelledError: after `stop`.
    """

    def __init__(self, base_url: str, folder: Path, downloader: Downloader) -> None:
        """Nothing is requested yet. The downloader is the mirror's own: it is closed with it."""
        self._base_url, self._folder, self._downloader = base_url.rstrip("/"), folder, downloader
        self.stop = downloader.stop

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._downloader.close()

    def _part(self, name: str) -> Path:
        """Return where a file lies while it is not whole."""
        return self._folder / f".{name}.part"

    def _bring(self, name: str, fill: Callable[[BinaryIO, Path], None]) -> Path:
        """Return a file, whole; if it is not there, `fill` is to complete its part, given open for appending."""
        target, path = self._folder / name, self._part(name)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            while not target.exists():
                with path.open("ab") as part:
                    if not lock(part, wait=False):
                        self._downloader.pause(LOCK_POLL_SECONDS)
                    elif target.exists():  # another process was faster
                        path.unlink(missing_ok=True)
                    else:
                        fill(part, path)
                        sync(path)
                        path.replace(target)
                        sync(target.parent)
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(f"{path}: {reason}; mend that and run again, what was fetched is kept") from error
        return target


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
