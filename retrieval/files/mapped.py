"""Files of numbers, mapped: reading one takes no memory, and of the file only what is looked at."""

import mmap
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from schemas.arrays import Number
from schemas.errors import IntegrityError


def map_file(path: Path, kind: type[Number]) -> NDArray[Number]:
    """Map a file of numbers, read-only; an empty one, which cannot be mapped, is an empty array."""
    if not path.stat().st_size:
        return np.empty(0, kind)
    return np.asarray(np.memmap(path, kind, "r"))  # a plain array, of which rows are taken in half the time


def append(path: Path, values: NDArray[np.generic]) -> None:
    """Append numbers to a file, which is made if there is none."""
    with path.open("ab") as file:
        file.write(values.tobytes())


def advise_random(array: NDArray[Any]) -> None:
    """Tell the kernel that a mapped array is read here and there; of one that is not mapped nothing is told."""
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    if base is not None:
        base.madvise(mmap.MADV_RANDOM)


def map_array(path: Path, remedy: str) -> np.memmap[Any, np.dtype[Any]]:
    """Return the array of a .npy file, read-only.

    remedy: what to do about a broken file, for the message.

    Raises:
        IntegrityError: the file is truncated, has something appended, or is no .npy.
    """
    try:
        array = open_memmap(path, mode="r")
    except (ValueError, TypeError, SyntaxError, TokenError, OverflowError) as error:  # a header is parsed as Python
        reason = " ".join(str(error).split())
        raise IntegrityError(f"{path}: not whole ({reason}); {remedy}") from None
    size, wanted = path.stat().st_size, array.offset + array.nbytes
    if size != wanted:
        raise IntegrityError(f"{path}: {size:,} bytes, its header says {wanted:,}; {remedy}")
    return array
