"""Locks between processes, which end with their process, and the one change that needs one.

The file system must have `flock`: any local disk, NFS v4.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from retrieval.files.atomic import write_bytes
from schemas.errors import StoreError


def lock(file: BinaryIO, *, wait: bool = True) -> bool:
    """Lock an open file until it is closed; return whether it is, as without `wait` it may not be."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def exclusive(path: str, what: str) -> Iterator[None]:
    """Hold the lock file at `path`; StoreError where another process does. what: the job that needs it."""
    with Path(path).open("wb") as file:
        if not lock(file, wait=False):
            raise StoreError(f"{path}: another {what} is at work in this store; wait until it is done")
        yield


def compare_and_swap(path: str, expected: bytes | None, new: bytes) -> bool:
    """Replace the content of `path` if it still is `expected` (None: absent); return whether it was."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f".{target.name}.lock").open("wb") as file:
        lock(file)
        if (target.read_bytes() if target.exists() else None) != expected:
            return False
        write_bytes(path, new)
        return True
