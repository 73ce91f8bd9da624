"""Vectors that exist already, wherever they come from: what need not be encoded, and whether it agrees with what is."""

from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.arrays import Rows
from schemas.report import Agreement


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


MIN_COSINE = 0.99
"""Other precisions and engines stay above it, other weights or another text do not."""


def agreement(known: NDArray[np.floating], encoded: NDArray[np.floating], min_cosine: float = MIN_COSINE) -> Agreement:
    """Compare vectors (n, d) with others of the same articles, n > 0. A zero vector agrees with none but another."""
    a, b = known.astype(np.float64), encoded.astype(np.float64)
    norms_a, norms_b = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    smallest = np.finfo(np.float64).tiny
    cosines = np.einsum("nd,nd->n", a, b) / np.maximum(norms_a * norms_b, smallest)
    cosines[(norms_a == 0) & (norms_b == 0)] = 1.0
    differences = np.abs(norms_a - norms_b) / np.maximum(norms_b, smallest)
    return Agreement(
        pairs=len(cosines),
        min_cosine=float(cosines.min()),
        median_cosine=float(np.median(cosines)),
        max_norm_difference=float(differences.max()),
        median_norm_difference=float(np.median(differences)),
        below=int((cosines < min_cosine).sum()),
    )
