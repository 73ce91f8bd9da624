"""Arrays of PMIDs: some found among others, and all looked at in classes, so that memory does not grow with them."""

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from schemas.arrays import Mask, Pmids, RowNumbers

Number = TypeVar("Number", bound=np.generic)

CLASS_ROWS = 8_000_000
"""PMIDs that are looked at together where all of a snapshot is: what bounds the memory."""


class PmidClass(NamedTuple):
    """The PMIDs that leave the same remainder."""

    remainder: int
    classes: int

    def holds(self, pmids: Pmids) -> Mask:
        """Return which PMIDs are of this class."""
        return pmids % self.classes == self.remainder


def pmid_classes(rows: int) -> list[PmidClass]:
    """Return so many classes, one at least, that of `rows` PMIDs each has some `CLASS_ROWS`."""
    classes = max(1, -(-rows // CLASS_ROWS))
    return [PmidClass(remainder, classes) for remainder in range(classes)]


def distinct(values: NDArray[Number]) -> NDArray[Number]:
    """Sort in place, and return each value once: several times as fast as numpy.unique(), and in less memory."""
    values.sort()
    return values[np.append(True, values[1:] != values[:-1])[: len(values)]]


def find_among(known: Pmids, wanted: Pmids) -> tuple[RowNumbers, RowNumbers]:
    """Return which of the `wanted` PMIDs (positions) are among `known` ones, sorted and each once, and where there."""
    slots = np.searchsorted(known, wanted)
    [found] = np.nonzero(slots < len(known))
    found = found[known[slots[found]] == wanted[found]]
    return found, slots[found]
