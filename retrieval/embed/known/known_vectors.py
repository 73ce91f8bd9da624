"""Vectors that exist already, wherever they come from: what need not be encoded."""

from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.arrays import Rows


class KnownCounts(NamedTuple):
    """What became of the articles asked for; the four add up to their number."""

    verified: int = 0
    """Have a vector, and it is that of their text."""
    unverified: int = 0
    """Have a vector, and there is nothing to compare their text with."""
    stale: int = 0
    """Have a vector, but of another text, so it is not given."""
    missing: int = 0
    """Have none."""


class Known(NamedTuple):
    """Vectors that need no encoding, of some articles of a range."""

    rows: NDArray[np.intp]  # positions among the articles asked for, ascending
    vectors: Rows  # (len(rows), dimension)
    counts: KnownCounts = KnownCounts()


class KnownVectors(Protocol):
    """A source of vectors."""

    def find(self, articles: pa.Table) -> Known:
        """Return the vectors that there are of articles with the columns pmid, text_hash, title and abstract.

        Raises:
            IntegrityError: a file is not whole; names it.
        """
