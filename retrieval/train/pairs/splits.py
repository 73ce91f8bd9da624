"""On which side an article is, of what is trained on and what is held out; and which articles have the same text."""

import numpy as np
from numpy.typing import NDArray

from retrieval.articles.pmids import mixed
from schemas.arrays import Mask, Pmids

HASHED = 2.0**64


class EqualTexts:
    """Articles that have the text of another one: each is known by the lowest PMID of those of its text."""

    def __init__(self, pmids: Pmids, text_hashes: NDArray[np.uint64]) -> None:
        """Look for them among all articles. Memory: 40 bytes an article."""
        order = np.lexsort((pmids, text_hashes))
        pmids, text_hashes = pmids[order], text_hashes[order]
        begins = np.append(True, text_hashes[1:] != text_hashes[:-1])[: len(pmids)]
        first = pmids[np.maximum.accumulate(np.where(begins, np.arange(len(pmids)), 0))]
        others, firsts = pmids[~begins], first[~begins]
        order = np.argsort(others)
        self._others, self._firsts = others[order], firsts[order]

    def first(self, pmids: Pmids) -> Pmids:
        """Return for each PMID the lowest one that has its text."""
        places = np.searchsorted(self._others, pmids)
        found = places < len(self._others)
        found[found] = self._others[places[found]] == pmids[found]
        firsts = pmids.copy()
        firsts[found] = self._firsts[places[found]]
        return firsts


def held_out(pmids: Pmids, share: float) -> Mask:
    """Return which articles are held out: a PMID is on the same side for ever, given the share.

    pmids: those of `EqualTexts.first`, so that equal texts are on one side.
    """
    return mixed(pmids) < np.uint64(min(share * HASHED, HASHED - 2048))
