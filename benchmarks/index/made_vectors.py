"""Clustered vectors as functions of a 64-bit number each: any of them can be made at any time, none need be kept."""

import numpy as np
from numpy.typing import NDArray

from retrieval.articles.pmids import mixed as pmid_bits

Numbers = NDArray[np.uint64]

CLUSTERS = 4000
PARETO = 1.2
"""Exponent of the clusters' weights: the largest holds about 1 % of all, the smallest a hundredth of that."""
DIRECTIONS = 256
"""In which articles of a cluster differ, with a spread that falls as the square root, as that of embeddings does."""
SPREAD = 0.6
"""Length of the difference from the centre, whose length is 1."""


def mixed(numbers: Numbers, salt: int) -> Numbers:
    """Return random-looking 64 bits (splitmix64) that depend on the number and the salt alone."""
    return pmid_bits((numbers + np.uint64((salt + 1) * 0x9E3779B97F4A7C15 % 2**64)).view(np.int64))


class MadeVectors:
    """Unit vectors around some thousand centres."""

    def __init__(self, dimension: int) -> None:
        """Draw the centres and the directions; always the same ones."""
        rng = np.random.default_rng(0)
        centres = rng.standard_normal((CLUSTERS, dimension), np.float32)
        self._centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)
        weights = rng.pareto(PARETO, CLUSTERS) + 0.1
        self._ends = np.cumsum(weights / weights.sum())
        spread = np.arange(1, DIRECTIONS + 1) ** -0.5
        spread *= SPREAD / np.linalg.norm(spread)
        basis, _ = np.linalg.qr(rng.standard_normal((dimension, DIRECTIONS)))
        self._basis = (basis.T * spread[:, None]).astype(np.float32)

    def of(self, numbers: Numbers) -> NDArray[np.float16]:
        """Return the vectors (n, d) of (n,) numbers."""
        place = mixed(numbers, 0).astype(np.float64) / 2.0**64
        centres = self._centres[np.minimum(np.searchsorted(self._ends, place), CLUSTERS - 1)]
        with np.errstate(over="ignore"):
            places: Numbers = np.add(numbers[:, None], np.arange(DIRECTIONS, dtype=np.uint64), dtype=np.uint64)
            cells = mixed(places, 1)
        # Four 16-bit numbers add up to a normal one, nearly.
        sums = cells.view(np.uint16).reshape(len(numbers), DIRECTIONS, 4).sum(axis=2, dtype=np.float32)
        normal = (sums - np.float32(4 * 32767.5)) / np.float32(2 * 65536 / np.sqrt(12))
        vectors = centres + normal @ self._basis
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
