"""A folder of PubMed's files as NCBI has them: each is there whole and verified by its md5, or not there."""

from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from actors.fetch.mirrored_folder import MirroredFolder
from retrieval.ingest.ncbi import check_baseline, md5_of, parse_listing, parse_md5, updates_after
from schemas.errors import InputError

FETCHES = 3
"""So often a file whose md5 is wrong is fetched."""


class Listing(NamedTuple):
    """File names, by (yy, number)."""

    baseline: list[str]
    updates: list[str]
    """Those of the baseline's year."""


class PubmedMirror(MirroredFolder):
    """Fetches PubMed's files; the base URL holds `baseline/` and `updatefiles/`."""

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
        for _ in range(FETCHES):
            self._downloader.download(url, part)
            wanted = self._downloader.get(f"{url}.md5", partial(parse_md5, name=url.rpartition("/")[2]))
            if (found := md5_of(path)) == wanted:
                return
            part.truncate(0)
        raise InputError(f"{url}: md5 {found}, published is {wanted}, {FETCHES} times in a row; try again later")
