"""A folder of files from a server: each is there whole, or not there.

What is fetched lies in `.<name>.part`, under a lock, until it is whole; then it is renamed. A part outlives its process
and is continued.
"""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Self

from actors.fetch.downloader import Downloader
from retrieval.files.atomic import sync
from retrieval.files.locks import lock
from schemas.errors import StoreError

LOCK_POLL_SECONDS = 0.5


class MirroredFolder:
    """Fetches what a folder lacks. Threads may share it; after `stop` all of them get CancelledError."""

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
        """Return a file, whole; if it is not there, `fill` is to complete its part, given open for appending.

        What another process is fetching is waited for.

        Raises:
            StoreError: the folder cannot be written; what was fetched is kept.
        """
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
