"""Files of the store: whole or absent. Everything is written under a temporary name beside its own, then renamed.

One object is mutable, CURRENT, and changes only by `compare_and_swap`. The file system must have atomic renames and
`flock` (any local disk; NFS v4).
"""

import fcntl
import hashlib
import mmap
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from schemas.base import Frozen
from schemas.errors import IntegrityError, StoreError
from schemas.manifest import FileDigest

HEAD_BYTES = 64 * 1024

Document = TypeVar("Document", bound=Frozen)
Number = TypeVar("Number", bound=np.generic)


@contextmanager
def atomic_path(path: str) -> Iterator[Path]:
    """Yield a temporary path beside `path`, a file or a folder to be; on success it becomes `path`.

    A folder that another worker finished first stays as it is: both hold the same.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        for written in [*temporary.iterdir(), temporary] if temporary.is_dir() else [temporary]:
            sync(written)
        try:
            temporary.replace(target)
        except OSError:
            if not (temporary.is_dir() and target.is_dir()):
                raise
        sync(target.parent)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def write_bytes(path: str, content: bytes) -> None:
    """Write a small file whole."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def read_bytes(path: str, what: str) -> bytes:
    """Return a small file; `what` says in the error what it would have been.

    Raises:
        StoreError: there is no such file.
    """
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise StoreError(f"{what} is not in the store: no file {path}") from None


def write_named(path: Callable[[str], str], content: bytes) -> str:
    """Store bytes under the path of their sha256, which is returned; they may be there already."""
    sha256 = hashlib.sha256(content).hexdigest()
    if not Path(path(sha256)).exists():
        write_bytes(path(sha256), content)
    return sha256


def read_named(path: Callable[[str], str], sha256: str, what: str) -> bytes:
    """Return what `write_named` stored.

    Raises:
        StoreError: there is no such file.
        IntegrityError: it is not what it was.
    """
    content = read_bytes(path(sha256), f"{what} {sha256}")
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        name = f"its name says {sha256[:12]}…"
        raise IntegrityError(f"{path(sha256)}: sha256 {found[:12]}…, {name}; restore it from a copy")
    return content


def read_document(path: str, kind: type[Document], what: str) -> Document:
    """Return a JSON document of the store.

    Raises:
        StoreError: there is no such file.
        IntegrityError: it is not JSON, or not of its kind.
    """
    try:
        return kind.model_validate_json(read_bytes(path, what))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise IntegrityError(
            f"{path}: not a {kind.__name__} ({place}: {first['msg']}); restore the file or remove it"
        ) from None


def compare_and_swap(path: str, expected: bytes | None, new: bytes) -> bool:
    """Replace the content of `path` if it still is `expected` (None: absent); return whether it was."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f".{target.name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (target.read_bytes() if target.exists() else None) != expected:
            return False
        write_bytes(path, new)
        return True


@contextmanager
def exclusive(path: str, what: str) -> Iterator[None]:
    """Hold the lock file at `path`; `what` is the job that needs it.

    Raises:
        StoreError: another process holds it.
    """
    with Path(path).open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"{path}: another {what} is at work in this store; wait until it is done") from None
        yield


def remove(path: str) -> None:
    """Remove a file or folder that may be gone already. A folder loses its name first, so that none is seen in part."""
    target = Path(path)
    if not target.is_dir():
        target.unlink(missing_ok=True)
        return
    if not target.name.endswith(".tmp"):
        target = target.rename(target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp"))
    shutil.rmtree(target)


def file_digest(path: Path) -> FileDigest:
    """Read a whole file and return its size and digests."""
    with path.open("rb") as file:
        head = hashlib.sha256(file.read(HEAD_BYTES)).hexdigest()
        file.seek(0)
        whole = hashlib.file_digest(file, "sha256").hexdigest()
    return FileDigest(bytes=path.stat().st_size, sha256=whole, head=head)


def check_file(path: Path, expected: FileDigest, *, whole: bool = False) -> None:
    """Check size and first bytes (`whole`: every byte) of a file.

    Raises:
        IntegrityError: names the file and what is wrong with it.
    """
    if not path.exists():
        raise IntegrityError(f"{path}: file is missing; restore it from a copy")
    if (size := path.stat().st_size) != expected.bytes:
        raise IntegrityError(f"{path}: {size} bytes, its manifest says {expected.bytes}; restore it from a copy")
    if whole:
        found, wanted = file_digest(path).sha256, expected.sha256
    else:
        with path.open("rb") as file:
            found, wanted = hashlib.sha256(file.read(HEAD_BYTES)).hexdigest(), expected.head
    if found != wanted:
        raise IntegrityError(f"{path}: sha256 {found[:12]}…, its manifest says {wanted[:12]}…; restore it from a copy")


def map_file(path: Path, kind: type[Number]) -> NDArray[Number]:
    """Map a file of numbers, read-only; an empty one, which cannot be mapped, is an empty array."""
    if not path.stat().st_size:
        return np.empty(0, kind)
    return np.asarray(np.memmap(path, kind, "r"))  # a plain array, of which rows are taken in half the time


def advise_random(array: NDArray[Any]) -> None:
    """Tell the kernel that a mapped array is read here and there; of one that is not mapped nothing is told."""
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    if base is not None:
        base.madvise(mmap.MADV_RANDOM)


def sync(path: Path) -> None:
    """Make what was written to a file or folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
