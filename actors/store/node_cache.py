"""Objects of a store on the disk of a node: each fetched once, whatever the number of processes, and checked."""

import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from retrieval.files.atomic import lock
from retrieval.files.checked import check_file
from retrieval.files.disk_errors import told
from schemas.errors import IntegrityError, StoreError
from schemas.manifest import FileDigest

SHARE = 0.8
"""Of the disk, where no other limit is set."""
LEFT_SECONDS = 7 * 86_400
"""So old is nothing that a process is still writing."""
OPENING_SECONDS = 10
"""So long after it was asked for nothing goes: who asked is opening it."""


@dataclass(frozen=True)
class NodeCache:
    """A folder of objects. The least recently used go first; who has one mapped keeps it."""

    folder: str
    limit: int | None
    """In bytes; None: a share of the disk."""

    @property
    def bytes(self) -> int:
        """How many it holds at most."""
        if self.limit is not None:
            return self.limit
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        return int(SHARE * shutil.disk_usage(self.folder).total)

    @property
    def used(self) -> int:
        """How many bytes of objects it holds."""
        return sum(size for _, size, _ in _used(Path(self.folder, "objects")))

    def path(self, name: str, tag: str, fetch: Callable[[Path], str], bytes: int, digest: FileDigest | None) -> Path:
        """Return where an object lies; `fetch` is to bring its bytes to a path, and return their sha256, unless
        it is there.

        The tag tells it from another object of the same name.

        Raises:
            IntegrityError: what arrives is not what its digest says.
            StoreError: there is no room for it.
        """
        target = self._target(name, tag)
        with self._locked(target):
            if not self._is_whole(target, bytes, digest):
                arriving = target.with_name(f".{target.name}.tmp")
                try:
                    self._take_room(arriving, name, bytes)
                    sha256 = fetch(arriving)
                    self._check(arriving, name, bytes, digest, sha256)
                    arriving.replace(target)
                except OSError as error:
                    raise told(error, str(arriving)) or error from None
                finally:
                    arriving.unlink(missing_ok=True)
            os.utime(target)
        return target

    def arriving(self) -> Path:
        """Return a new folder for what is made here and brought to the store; what dead processes left there goes."""
        folder = Path(self.folder, "incoming")
        for left in folder.glob("*"):
            with suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > LEFT_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
        made = folder / uuid.uuid4().hex
        made.mkdir(parents=True)
        return made

    def adopt(self, path: Path, name: str, tag: str) -> None:
        """Take in what was made here, and is to be read here."""
        target = self._target(name, tag)
        with self._locked(target):
            self._make_room(path.stat().st_size, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)

    def _target(self, name: str, tag: str) -> Path:
        folder, _, file = name.rpartition("/")
        return Path(self.folder, "objects", folder, tag, file)

    @contextmanager
    def _locked(self, target: Path) -> Iterator[None]:
        path = Path(self.folder, "locks", hashlib.sha256(str(target).encode()).hexdigest()[:32])
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            lock(file)
            yield

    @staticmethod
    def _is_whole(target: Path, bytes: int, digest: FileDigest | None) -> bool:
        if not target.exists() or target.stat().st_size != bytes:
            return False
        with suppress(IntegrityError):
            if digest:
                check_file(target, digest)
            return True
        return False  # it is fetched again

    @staticmethod
    def _check(path: Path, name: str, bytes: int, digest: FileDigest | None, sha256: str) -> None:
        if (size := path.stat().st_size) != bytes:
            raise IntegrityError(f"{name}: arrived with {size} bytes, {bytes} were announced; run again")
        if digest and sha256 != digest.sha256:
            wanted = f"its manifest says {digest.sha256[:12]}…"
            raise IntegrityError(f"{name}: arrived with sha256 {sha256[:12]}…, {wanted}; restore it from a copy")

    def _take_room(self, arriving: Path, name: str, bytes: int) -> None:
        """Make room for what is to arrive, and take it: others arrive meanwhile."""
        with self._locked(Path(self.folder)):
            self._make_room(bytes, name)
            arriving.parent.mkdir(parents=True, exist_ok=True)
            with arriving.open("wb") as file:
                if bytes:
                    os.posix_fallocate(file.fileno(), 0, bytes)

    def _make_room(self, bytes: int, name: str) -> None:
        """Remove what was not used for longest, until there is room."""
        limit = self.bytes
        if bytes > limit:
            raise StoreError(
                f"{name} has {bytes:,} bytes, the cache {self.folder} holds {limit:,}; set cache_bytes, or "
                "PUBRAY_CACHE to a larger disk"
            )
        files = sorted(_used(Path(self.folder, "objects")))
        total = sum(size for _, size, _ in files)
        # Others may have filled the disk.
        left = min(limit, total + shutil.disk_usage(self.folder).free) - bytes
        for used, size, path in files:
            age = (time.time_ns() - used) / 1e9
            if total <= left or age < OPENING_SECONDS:
                break
            if path.name.startswith(".") and age < LEFT_SECONDS:  # it is arriving
                continue
            path.unlink(missing_ok=True)
            total -= size


def _used(folder: Path) -> Iterator[tuple[int, int, Path]]:
    """Yield when each object was used last, its size and its path; those that are arriving too."""
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            facts = path.stat()
            if path.is_file():
                yield facts.st_mtime_ns, facts.st_size, path
