"""A folder of PubMed's files as NCBI has them: each is there whole and verified, or not there.

What is fetched lies in `.<name>.part`, under a lock, until its md5 is right; then it is renamed. A part outlives its
process and is continued.
"""

import fcntl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

from actors.downloader import Downloader
from retrieval.ncbi import check_baseline, md5_of, parse_listing, parse_md5, updates_after
from retrieval.storage import sync
from schemas.errors import InputError, StoreError

FETCHES = 3
"""So often a file whose md5 is wrong is fetched."""
LOCK_POLL_SECONDS = 0.5


class Listing(NamedTuple):
    """File names, by (yy, number)."""

    baseline: list[str]
    updates: list[str]
    """Those of the baseline's year."""


class Mirror:
    """Fetches what a folder lacks. Threads may share it: they have two connections between them."""

    def __init__(
        self,
        base_url: str,
        folder: Path,
        sleep: Callable[[float], object] | None = None,
        on_retry: Callable[[str], None] | None = None,
        read_timeout: float = 60.0,
    ) -> None:
        """Nothing is requested yet. base_url: holds `baseline/` and `updatefiles/`; the others: as of Downloader."""
        self._base_url, self._folder = base_url.rstrip("/"), folder
        self._downloader = Downloader(sleep, on_retry, read_timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._downloader.close()

    def stop(self) -> None:
        """Make what runs in other threads, and all that is asked later, raise CancelledError; parts are kept."""
        self._downloader.stop()

    def listing(self) -> Listing:
        """Return what there is to fetch.

        Raises:
            InputError: the server does not answer, or has no whole baseline just now.
            CancelledError: after `stop`.
        """
        baseline = self._downloader.get(self._url("", baseline=True), parse_listing)
        updates = self._downloader.get(self._url("", baseline=False), parse_listing)
        try:
            check_baseline(baseline)
            return Listing(baseline, updates_after(baseline, updates))
        except InputError as error:
            raise InputError(f"{self._base_url}: {error}") from None

    def fetch(self, name: str, *, baseline: bool) -> Path:
        """Return a file of the listing, verified; it is fetched, or continued, unless the folder has it.

        What another process is fetching is waited for.

        Raises:
            InputError: the server does not give it, or not as its md5 says.
            StoreError: the folder cannot be written; what was fetched is kept.
            CancelledError: after `stop`.
        """
        target = self._folder / name
        path = target.with_name(f".{name}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            while not target.exists():
                with path.open("ab") as part:
                    if not _lock(part):
                        self._downloader.pause(LOCK_POLL_SECONDS)
                    elif target.exists():  # another process was faster
                        path.unlink(missing_ok=True)
                    else:
                        self._fetch(self._url(name, baseline=baseline), part, path)
                        sync(path)
                        path.replace(target)
                        sync(target.parent)
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(f"{path}: {reason}; mend that and run again, what was fetched is kept") from error
        return target

    def _url(self, name: str, *, baseline: bool) -> str:
        return f"{self._base_url}/{'baseline' if baseline else 'updatefiles'}/{name}"

    def _fetch(self, url: str, part: BinaryIO, path: Path) -> None:
        """Fill a part until it is what the server's md5 says."""
        for _ in range(FETCHES):
            self._downloader.download(url, part)
            wanted = self._downloader.get(f"{url}.md5", partial(parse_md5, name=url.rpartition("/")[2]))
            if (found := md5_of(path)) == wanted:
                return
            part.truncate(0)
        raise InputError(f"{url}: md5 {found}, published is {wanted}, {FETCHES} times in a row; try again later")


def _lock(part: BinaryIO) -> bool:
    try:
        fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
