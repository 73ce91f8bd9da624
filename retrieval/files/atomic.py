"""Files that are whole or absent: written under a temporary name beside their own, then renamed; and locks.

Locks are between processes, and end with their process. The file system must have `flock`: any local disk, NFS v4.
"""

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from retrieval.files.disk_errors import told


@contextmanager
def atomic_path(path: str) -> Iterator[Path]:
    """Yield a temporary path beside `path`, a file or a folder to be; on success it becomes `path`.

    A folder that another worker finished first stays as it is: both hold the same.

    Raises:
        StoreError: there is no room, or it may not be written.
    """
    target = Path(path)
    temporary = _temporary(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        for written in [*temporary.rglob("*"), temporary] if temporary.is_dir() else [temporary]:
            sync(written)
        try:
            temporary.replace(target)
        except OSError:
            if not (temporary.is_dir() and target.is_dir()):
                raise
        sync(target.parent)
    except OSError as error:
        raise told(error, path) or error from None
    finally:
        with suppress(OSError):  # what went wrong first is what is told
            remove(str(temporary))


def _temporary(target: Path) -> Path:
    return target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")


def write_file(path: str, content: bytes) -> None:
    """Write a small file whole."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def remove(path: str) -> None:
    """Remove a file or folder that may be gone already. A folder loses its name first, so that none is seen in part."""
    target = Path(path)
    if not target.is_dir():
        target.unlink(missing_ok=True)
    else:
        shutil.rmtree(target if target.name.endswith(".tmp") else target.rename(_temporary(target)))


def sync(path: Path) -> None:
    """Make what was written to a file or folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(file: BinaryIO, *, wait: bool = True, shared: bool = False) -> bool:
    """Lock an open file until it is closed; return whether it is, as without `wait` it may not be.

    shared: others may have it so too, and the file may be one that is only read (NFS).
    """
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold the lock of a small file that several processes replace; waits for it."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f".{target.name}.lock").open("wb") as file:
        lock(file)
        yield
