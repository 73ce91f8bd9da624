"""A folder of PubMed's files as NCBI has them: each is there whole and verified by its md5, or not there."""

import math
import time
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from actors.fetch.downloader import Downloader
from actors.fetch.mirrored_folder import MirroredFolder
from retrieval.ingest.ncbi import check_baseline, md5_of, parse_listing, parse_md5, updates_after
from schemas.errors import AbsentError, InputError

FETCHES = 2
"""So often a file whose md5 is wrong is fetched before it is left alone for a while."""
FIRST_LOOK = 60.0
"""Seconds until a file that is not whole yet is looked at again; each time after that twice as many."""


class Listing(NamedTuple):
    """File names, by (yy, number)."""

    baseline: list[str]
    updates: list[str]
    """Those of the baseline's year."""


class PubmedMirror(MirroredFolder):
    """Fetches PubMed's files; the base URL holds `baseline/` and `updatefiles/`.

    AbsentError: a file is listed, and not whole. All such files are waited for together, in the thread that fetches.
    """

    def __init__(self, base_url: str, folder: Path, downloader: Downloader, patience: float = 0.0) -> None:
        """patience: seconds from the first file that is not whole, until which such files are waited for."""
        super().__init__(base_url, folder, downloader)
        self._patience, self._until = patience, math.inf

    def listing(self) -> Listing:
        """Return what there is to fetch; no whole baseline just now is an InputError."""
        baseline = self._downloader.get(self._url("", baseline=True), parse_listing)
        updates = self._downloader.get(self._url("", baseline=False), parse_listing)
        try:
            check_baseline(baseline)
            return Listing(baseline, updates_after(baseline, updates))
        except InputError as error:
            raise InputError(f"{self._base_url}: {error}") from None

    def fetch(self, name: str, *, baseline: bool) -> Path:
        """Return a file of the listing, verified; it is fetched, or continued, unless the folder has it."""
        return self._bring(name, partial(self._fetch, self._url(name, baseline=baseline)))

    def _url(self, name: str, *, baseline: bool) -> str:
        return f"{self._base_url}/{'baseline' if baseline else 'updatefiles'}/{name}"

    def _fetch(self, url: str, part: BinaryIO, path: Path) -> None:
        look = FIRST_LOOK
        while True:
            try:
                return self._fill(url, part, path)
            except AbsentError as error:
                self._until = min(self._until, time.monotonic() + self._patience)
                if (left := self._until - time.monotonic()) <= 0:
                    raise
                self._downloader.retry_after(min(look, left), f"not whole yet: {error}")
                look *= 2

    def _fill(self, url: str, part: BinaryIO, path: Path) -> None:
        for _ in range(FETCHES):
            self._downloader.download(url, part)
            wanted = self._downloader.get(f"{url}.md5", partial(parse_md5, name=url.rpartition("/")[2]))
            if (found := md5_of(path)) == wanted:
                return
            part.truncate(0)
        raise AbsentError(f"{url}: md5 {found}, published is {wanted}, {FETCHES} times in a row; try again later")
