"""Which articles answer a query that several pairs have, and which pairs are kept where there are too many."""

import hashlib
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from retrieval.articles.pmids import mixed
from schemas.arrays import Mask, Pmids

Hashes = NDArray[np.uint64]
SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")


def query_hash(query: str) -> int:
    """Return 64 bits of a query's words; case and white space do not matter."""
    text = " ".join(query.lower().split())
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


class Answers:
    """Of queries that have several positives, all of them."""

    def __init__(self, queries: Hashes, positives: Pmids) -> None:
        """Look for them in all pairs. Memory: 40 bytes a pair."""
        order = np.lexsort((positives, queries))
        queries, positives = queries[order], positives[order]
        new = np.append(True, (queries[1:] != queries[:-1]) | (positives[1:] != positives[:-1]))[: len(queries)]
        queries, positives = queries[new], positives[new]
        twice = np.append(False, queries[1:] == queries[:-1])[: len(queries)]
        several = twice | np.append(twice[1:], False)[: len(queries)]
        self._queries, self._positives = queries[several], positives[several]

    def of(self, query: int, positive: int) -> Pmids:
        """Return the positives of the query of a pair, sorted."""
        begin, end = (np.searchsorted(self._queries, np.uint64(query), side) for side in SIDES)
        return self._positives[begin:end] if end > begin else np.array([positive], np.int64)


def pair_hashes(queries: Hashes, positives: Pmids) -> Hashes:
    """Return 64 bits of each pair, by which it is drawn."""
    return mixed((queries ^ mixed(positives)).view(np.int64))


def drawn(hashes: Hashes, limit: int) -> Mask:
    """Return which pairs are kept: the `limit` of the lowest hashes."""
    if len(hashes) <= limit:
        return np.ones(len(hashes), bool)
    return hashes <= np.partition(hashes, limit - 1)[limit - 1]
