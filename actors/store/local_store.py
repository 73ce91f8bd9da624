"""A store in a folder, which every node sees: any local disk, NFS v4."""

import os
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow.parquet as pq

from retrieval.files.atomic import atomic_path, lock, locked, remove, sync
from retrieval.files.checked import check_file
from retrieval.files.disk_errors import told
from retrieval.files.parquet import opened
from schemas.errors import StoreError, WriterError
from schemas.manifest import FileDigest
from schemas.store import Stored
from schemas.writers import Holder

WRITER = ".writer.lock"
"""Held by the one job that writes; says who."""
TELL_SECONDS = 1.0
"""How often it is said how far he is."""
LOOK_SECONDS = 0.5
"""In which whoever only looks has looked."""


@dataclass(frozen=True)
class LocalStore:
    """See `schemas.store.Store`. The file system must have `flock`."""

    root: str

    def path(self, key: str) -> Path:
        return Path(self.root, key)

    def name(self, key: str) -> str:
        return f"{self.root}/{key}"

    def read(self, key: str) -> bytes | None:
        try:
            return self.path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def facts(self, key: str) -> Stored | None:
        with suppress(FileNotFoundError, NotADirectoryError):
            facts = self.path(key).stat()
            return Stored(key, facts.st_size, facts.st_mtime_ns) if stat.S_ISREG(facts.st_mode) else None
        return None

    def names(self, folder: str) -> Iterator[str]:
        return (path.name for path in self.path(folder).glob("[!.]*"))

    def entries(self, folder: str) -> Iterator[Stored]:
        for path in _walk(self.path(folder)):
            if path.name[0] != "." and (found := self.facts(self._key(path))):
                yield found

    def unfinished(self) -> Iterator[Stored]:
        for path in _walk(self.path("")):
            if path.name[0] == "." and path.suffix == ".tmp":
                files = [found for each in [path, *_walk(path)] if (found := self.facts(self._key(each)))]
                written = max((file.modified for file in files), default=self.now())
                yield Stored(self._key(path), sum(file.bytes for file in files), written)

    def _key(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def now(self) -> int:
        return time.time_ns()

    def swap(self, key: str, expected: bytes | None, new: bytes) -> bool:
        with locked(self.name(key)):
            if self.read(key) != expected:
                return False
            with self.incoming(key) as path:
                path.write_bytes(new)
            return True

    def remove(self, key: str) -> None:
        remove(self.name(key))

    def incoming(self, key: str, last: str | None = None, *, again: bool = False) -> AbstractContextManager[Path]:
        return atomic_path(self.name(key))

    def check(self, key: str, digest: FileDigest, *, whole: bool = False) -> None:
        check_file(self.path(key), digest, whole=whole)

    def local(self, key: str, digest: FileDigest | None = None) -> Path:
        if digest:
            self.check(key, digest)
        return self.path(key)

    def check_room(self, bytes: int) -> None:
        """It is here already."""

    def cached(self) -> tuple[int, int] | None:
        return None

    def parquet(self, key: str) -> AbstractContextManager[pq.ParquetFile]:
        return opened(self.path(key))

    def ranges(self, key: str, starts: Sequence[int], size: int) -> bytes:
        with self.path(key).open("rb") as file:
            return b"".join(file.read(size) for start in starts if file.seek(start) >= 0)

    def work(self, folder: str) -> Path:
        return self.path(folder)

    def keep(self, path: Path, key: str) -> None:
        if path != self.path(key):
            path.replace(self.path(key))
            sync(self.path(key).parent)

    @contextmanager
    def writing(self, holder: Holder) -> Iterator[bool]:
        """Hold a lock, which ends with this process however that ends."""
        path = self.path(WRITER)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+b")
        except OSError as error:
            raise StoreError(f"store {self.root}: {error.strerror}; name a folder that can be written") from None
        with file:
            if not _locked(file):
                file.seek(0)
                other = file.read().decode() or "another job,"
                raise WriterError(f"store {self.root}: {other} is writing; wait until it has ended")
            stop, said = threading.Event(), _tell(file, holder, "")
            telling = threading.Thread(target=_keep_telling, args=(file, holder, stop, said), daemon=True)
            telling.start()
            try:
                yield False
            finally:
                stop.set()
                telling.join()
                file.truncate(0)

    def writer(self) -> str | None:
        try:
            with self.path(WRITER).open("rb") as file:
                return None if lock(file, wait=False, shared=True) else file.read().decode().rstrip(",") or "a job"
        except FileNotFoundError:
            return None

    def end_writing(self) -> None:
        raise StoreError(f"store {self.root}: a folder's lock ends with its process; end that process")


def _locked(file: BinaryIO) -> bool:
    """Lock for writing; whoever only looks who writes holds the lock for a moment, and is waited for."""
    until = time.monotonic() + LOOK_SECONDS
    while not (mine := lock(file, wait=False)) and time.monotonic() < until:
        time.sleep(0.02)
    return mine


def _walk(top: Path) -> Iterator[Path]:
    """Yield all below a folder, linked folders too; what goes meanwhile is left out, what may not be read is told."""

    def failed(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise told(error, str(error.filename)) or error

    for place, folders, files in os.walk(top, followlinks=True, onerror=failed):
        yield from (Path(place, name) for name in (*folders, *files))
        folders[:] = [name for name in folders if not name.startswith(".")]


def _tell(file: BinaryIO, holder: Holder, said: str) -> str:
    """Write into the lock who has it, and how far he is, unless that is what was said; return what is said now."""
    doing = holder.doing()
    now = f"{holder.who} ({doing})," if doing else f"{holder.who},"
    if now != said:
        file.truncate(0)
        file.write(now.encode())
        file.flush()
    return now


def _keep_telling(file: BinaryIO, holder: Holder, stop: threading.Event, said: str) -> None:
    while not stop.wait(TELL_SECONDS):
        said = _tell(file, holder, said)
