"""Files of the store: whole or absent. Everything is written under a temporary name beside its own, then renamed.

One object is mutable, CURRENT, and changes only by `compare_and_swap`. The file system must have atomic renames and
`flock` (any local disk; NFS v4).
"""

import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from schemas.errors import IntegrityError, StoreError
from schemas.manifest import FileDigest

HEAD_BYTES = 64 * 1024


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
        _sync(temporary)
        if temporary.is_dir() and target.is_dir():
            return
        temporary.replace(target)
        _sync(target.parent)
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


def read_json(path: str, what: str) -> Any:
    """Return a JSON document.

    Raises:
        StoreError: there is no such file.
        IntegrityError: it is not JSON.
    """
    try:
        return json.loads(read_bytes(path, what))
    except ValueError as error:
        raise IntegrityError(f"{path}: not JSON ({error}); restore the file or remove it") from None


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
        raise IntegrityError(f"{path}: file is missing; build the segment again")
    if (size := path.stat().st_size) != expected.bytes:
        raise IntegrityError(f"{path}: {size} bytes, its manifest says {expected.bytes}; build the segment again")
    if whole:
        found, wanted = file_digest(path).sha256, expected.sha256
    else:
        with path.open("rb") as file:
            found, wanted = hashlib.sha256(file.read(HEAD_BYTES)).hexdigest(), expected.head
    if found != wanted:
        raise IntegrityError(f"{path}: sha256 {found[:12]}…, its manifest says {wanted[:12]}…; build the segment again")


def _sync(path: Path) -> None:
    """Make what was written survive a power cut."""
    for entry in [*path.iterdir(), path] if path.is_dir() else [path]:
        descriptor = os.open(entry, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
