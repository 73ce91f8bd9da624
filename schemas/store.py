"""The seam between what pubray does and where its store is: a local folder, or a bucket of S3."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

import pyarrow.parquet as pq

from schemas.manifest import FileDigest
from schemas.writers import Holder


class Stored(NamedTuple):
    """An object of a store."""

    key: str
    bytes: int
    modified: int
    """When it was written, by the store's clock, in ns since 1970."""


class Store(Protocol):
    """Objects under keys (see `schemas.layout`), each written whole and once; `swap` alone replaces one.

    A key is relative to the root. A folder is all that lies below a key; one that is written as a whole has a manifest,
    which is there last, and without which nobody looks at the rest. Stores travel between processes.

    Raises:
        StoreError: the place does not take or give what it should, in one line that says what to do.
        IntegrityError: an object is not what it was.
    """

    @property
    def root(self) -> str:
        """The folder, or `s3://bucket/prefix`."""

    def name(self, key: str) -> str:
        """Return how a person knows an object, for messages."""

    def read(self, key: str) -> bytes | None:
        """Return a small object; None: there is none."""

    def facts(self, key: str) -> Stored | None:
        """Return what is known of an object without reading it; None: there is none."""

    def names(self, folder: str) -> Iterator[str]:
        """Yield the names of what lies directly in a folder, in any order."""

    def entries(self, folder: str) -> Iterator[Stored]:
        """Yield all objects below a folder, in any order."""

    def unfinished(self) -> Iterator[Stored]:
        """Yield what processes that died left of what they were writing; their keys are for `remove` alone."""

    def now(self) -> int:
        """Return the time by the store's clock, in ns since 1970."""

    def swap(self, key: str, expected: bytes | None, new: bytes) -> bool:
        """Replace an object that still is `expected` (None: absent) by what it never was; return whether it was so."""

    def remove(self, key: str) -> None:
        """Remove an object or a folder, which may be gone already."""

    def incoming(self, key: str, last: str | None = None, *, again: bool = False) -> AbstractContextManager[Path]:
        """Give a local path on which to write; what is there at the end becomes the object of this key.

        last: it becomes a folder, whose manifest this is. What somebody else has finished meanwhile stays as it is:
        both hold the same. again: it will be read here by `local`, as folders will. After an error nothing is there.
        """

    def check(self, key: str, digest: FileDigest, *, whole: bool = False) -> None:
        """Look at the length and the first bytes of an object (whole: at every byte) where the store is.

        IntegrityError: they are not what its digest says.
        """

    def local(self, key: str, digest: FileDigest | None = None) -> Path:
        """Return a path of this machine, to be mapped or read once, where an object is what its digest says."""

    def check_room(self, bytes: int) -> None:
        """Refuse (StoreError) to map so much at a time, where this machine cannot hold it."""

    def cached(self) -> tuple[int, int] | None:
        """Return how many bytes of it this machine keeps, and may keep; None: it is here anyway."""

    def parquet(self, key: str) -> AbstractContextManager[pq.ParquetFile]:
        """Open a Parquet file, of which ranges are read."""

    def ranges(self, key: str, starts: Sequence[int], size: int) -> bytes:
        """Return `size` bytes from each of the places (ascending) of an object, one after the other."""

    def work(self, folder: str) -> Path:
        """Return a folder of this machine for what is not whole yet, and is gone on with by the next run."""

    def keep(self, path: Path, key: str) -> None:
        """Make a whole file of `work(…)` the object of a key; it may be gone from its path then."""

    def writing(self, holder: Holder) -> AbstractContextManager[bool]:
        """Be the one who writes; return whether somebody who was it before may not know that he is not any more.

        WriterError: somebody else is, and the message says who, since when, how far he is.
        """

    def writer(self) -> str | None:
        """Return who writes, since when, how far he is; None: nobody does."""

    def end_writing(self) -> None:
        """Let whoever writes be the one no more, though he may still live; StoreError: his end alone does that."""
