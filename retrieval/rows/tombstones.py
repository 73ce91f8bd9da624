"""Tombstones: the rows of a segment that a later segment replaces or a deletion removes.

One file holds those of one segment in one version, as sorted uint32 row numbers; its sha256 is its name.
"""

from collections.abc import Callable

import numpy as np

from retrieval.files.atomic import write_named
from retrieval.files.checked import read_named
from schemas.arrays import RowNumbers
from schemas.manifest import Tombstones


def write_tombstones(path: Callable[[str], str], rows: RowNumbers) -> Tombstones:
    """Store row numbers, in any order, under the path of their sha256."""
    numbers = np.unique(rows).astype(np.uint32)
    return Tombstones(sha256=write_named(path, numbers.tobytes()), rows=len(numbers))


def read_tombstones(path: Callable[[str], str], tombstones: Tombstones) -> RowNumbers:
    """Return the row numbers, sorted.

    Raises:
        StoreError: there is no such file.
        IntegrityError: it is not what it was.
    """
    return np.frombuffer(read_named(path, tombstones.sha256, "tombstones"), np.uint32).astype(np.int64)
