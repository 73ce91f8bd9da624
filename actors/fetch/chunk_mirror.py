"""A folder of NCBI's published embeddings: each file is there as long as the server says, or not there.

There are no checksums. A part that is continued is taken for one of the same edition (the files have not changed since
March 2024); what does not fit together is found when it is read, by headers and counts.
"""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from actors.fetch.mirrored_folder import MirroredFolder, fetching
from retrieval.embed.known.chunk_index import chunk_names, chunk_numbers, listed_chunk_files
from schemas.errors import InputError, StoreError

ASSUMED_RATE = 10e6
"""Bytes per second, for the hours that are stated beforehand."""


class RemoteFile(NamedTuple):
    """A file of the server."""

    name: str
    bytes: int


class FetchPlan(NamedTuple):
    """What is to be fetched, and whether there is room for it."""

    folder: Path
    files: list[RemoteFile]
    """In the order of their chunks."""
    missing_bytes: int
    """Of all files, less what the folder has, parts too."""
    free_bytes: int

    def __str__(self) -> str:
        total = sum(file.bytes for file in self.files)
        return (
            f"{len(self.files)} files of {_gb(total)}; to fetch: {_gb(self.missing_bytes)}, "
            f"{self.missing_bytes / ASSUMED_RATE / 3600:.1f} hours at {ASSUMED_RATE / 1e6:.0f} MB/s; "
            f"free in {self.folder}: {_gb(self.free_bytes)}"
        )


class ChunkMirror(MirroredFolder):
    """Fetches chunks; the base URL holds `embeds_chunk_<i>.npy` and what belongs to them."""

    def plan(self, *, texts: bool) -> FetchPlan:
        """Return what there is to fetch: vectors and PMIDs of every chunk, and the `texts` that they are of.

        Raises:
            InputError: the server has no chunks, or the folder has a file of another length.
        """
        files = [RemoteFile(name, self._downloader.length(self._url(name))) for name in self._names(texts=texts)]
        missing = sum(file.bytes - self._held(file) for file in files)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self._folder).free
        except OSError as error:
            raise StoreError(f"{self._folder}: {error.strerror}; name a folder that can be written") from error
        return FetchPlan(self._folder, files, missing, free)

    def fetch_all(self, plan: FetchPlan) -> Iterator[RemoteFile]:
        """Fetch what the folder lacks, two files at a time; yield each file when it is there.

        Without room for all it is a StoreError. After an error, or if it is not read to its end, the mirror is stopped.
        """
        if plan.missing_bytes > plan.free_bytes:
            raise StoreError(
                f"{plan.folder}: {_gb(plan.free_bytes)} free, {_gb(plan.missing_bytes)} are to be fetched; "
                "make room, or name a folder on another disk"
            )
        with fetching(lambda file: self._bring(file.name, partial(self._fill, file)), plan.files, self.stop) as done:
            for file, future in done:
                future.result()
                yield file

    def _fill(self, file: RemoteFile, part: BinaryIO, path: Path) -> None:
        self._downloader.download(self._url(file.name), part)
        if (size := path.stat().st_size) != file.bytes:
            raise InputError(
                f"{self._url(file.name)}: {size} bytes came, {file.bytes} were announced; run again to continue"
            )

    def _names(self, *, texts: bool) -> list[str]:
        names = self._downloader.get(self._url(""), listed_chunk_files)
        files = [name for number in chunk_numbers(names, self._base_url) for name in chunk_names(number)[: 2 + texts]]
        if absent := [name for name in files if name not in names]:
            raise InputError(f"{self._base_url}: no {absent[0]}; do without the texts, or try again later")
        return files

    def _held(self, file: RemoteFile) -> int:
        target, part = self._folder / file.name, self._part(file.name)
        if not target.exists():
            return min(part.stat().st_size, file.bytes) if part.exists() else 0
        if (size := target.stat().st_size) != file.bytes:
            raise InputError(f"{target}: {size} bytes, the server's has {file.bytes}; remove it to fetch that")
        return size

    def _url(self, name: str) -> str:
        return f"{self._base_url}/{name}"


def _gb(size: int) -> str:
    return f"{size / 1e9:,.2f} GB"
