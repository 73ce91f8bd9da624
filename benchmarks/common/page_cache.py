"""The page cache of single files: what of them is in it, and taking it out. No privileges are needed.

Pages that a process has mapped stay where they are, so a process that has them mapped lets go of them first.
"""

import ctypes
import mmap
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PAGE = mmap.PAGESIZE
_LIBC = ctypes.CDLL(None, use_errno=True)


def forget(path: Path) -> None:
    """Take a file out of this process's maps and out of the page cache, unless another process has it mapped."""
    for start, length, _ in mappings(path):
        advise(start, length, mmap.MADV_DONTNEED)
    _drop(path, 0, 0)


def forget_all(folder: Path) -> None:
    """Take all files below a folder out of the page cache; what is not on disk yet is written first."""
    for path in folder.rglob("*"):
        if path.is_file():
            _drop(path, 0, 0)


def forget_range(path: Path, start: int, length: int) -> None:
    """Take a range of a file out, start and length in whole pages."""
    for address, size, offset in mappings(path):
        first, last = max(start, offset), min(start + length, offset + size)
        if first < last:
            advise(address + first - offset, last - first, mmap.MADV_DONTNEED)
    _drop(path, start, length)


def resident_pages(path: Path) -> NDArray[np.bool_]:
    """Return which pages of a file are in the page cache."""
    size = path.stat().st_size
    if not size:
        return np.zeros(0, np.bool_)
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ) as content:
        view = np.frombuffer(content, np.uint8)
        pages = np.empty(-(-size // PAGE), np.uint8)
        _checked(
            _LIBC.mincore(
                ctypes.c_void_p(view.ctypes.data), ctypes.c_size_t(size), pages.ctypes.data_as(ctypes.c_void_p)
            )
        )
        del view
    return (pages & 1).astype(np.bool_)


def resident_bytes(paths: Iterable[Path]) -> int:
    """Return how much of some files is in the page cache."""
    return sum(int(resident_pages(path).sum()) * PAGE for path in paths)


def mappings(path: Path) -> Iterator[tuple[int, int, int]]:
    """Yield address, length and offset of each map that this process has of a file."""
    name = str(path.resolve())
    for line in Path("/proc/self/maps").read_text().splitlines():
        columns = line.split(maxsplit=5)
        if len(columns) == 6 and columns[5] == name:
            start, end = (int(address, 16) for address in columns[0].split("-"))
            yield start, end - start, int(columns[2], 16)


def advise(start: int, length: int, advice: int) -> None:
    """Call madvise(2)."""
    _checked(_LIBC.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), ctypes.c_int(advice)))


def _drop(path: Path, start: int, length: int) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if not start:
            os.fsync(descriptor)  # pages that are not on disk yet cannot be dropped
        os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _checked(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
