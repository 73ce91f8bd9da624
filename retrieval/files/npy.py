"""NumPy's .npy files, mapped: reading one takes no memory, and of the file only the rows that are looked at."""

from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from schemas.errors import IntegrityError

# What NumPy's reading of a header raises that is not what NumPy wrote: it is parsed as Python.
_BROKEN = (ValueError, TypeError, SyntaxError, TokenError, OverflowError)


def map_array(path: Path, remedy: str) -> np.memmap[Any, np.dtype[Any]]:
    """Return the array of a .npy file, read-only.

    remedy: what to do about a broken file, for the message.

    Raises:
        IntegrityError: the file is truncated, has something appended, or is no .npy.
    """
    try:
        array = open_memmap(path, mode="r")
    except _BROKEN as error:
        reason = " ".join(str(error).split())
        raise IntegrityError(f"{path}: not whole ({reason}); {remedy}") from None
    size, wanted = path.stat().st_size, array.offset + array.nbytes
    if size != wanted:
        raise IntegrityError(f"{path}: {size:,} bytes, its header says {wanted:,}; {remedy}")
    return array
