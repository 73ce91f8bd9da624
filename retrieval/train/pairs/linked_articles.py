"""Which articles answer what is asked by others: they are looked for among all, before pairs are made."""

from collections.abc import Iterable
from typing import NamedTuple, Self

import numpy as np

from retrieval.articles.pmids import find_among, mixed
from retrieval.train.pairs.answers import Hashes
from schemas.arrays import Pmids

LINKING = ("topics", "comment")
"""Signals whose queries are answered by another article than they are made of."""


class LinkedArticles(NamedTuple):
    """Of the articles that are alive and selected."""

    known: Pmids
    """All of them, sorted. Memory: 8 bytes an article."""
    sharing: Pmids
    """Those whose major topics are those of another one, sorted …"""
    alike: Pmids
    """… and that one."""

    @classmethod
    def of(cls, pieces: Iterable[tuple[Pmids, Hashes]]) -> Self:
        """Look at all articles: PMIDs and 64 bits of their topics, 0 where they have none. Memory: 50 bytes each.

        Each article is alike the next one, in an order by hash, of those that share its topics, and the last of them
        the first; so each is an answer once.
        """
        pmids, topics = (np.concatenate(of) for of in zip(*pieces, strict=True))
        with_topics = topics != 0
        some, topics = pmids[with_topics], topics[with_topics]
        order = np.lexsort((mixed(some), topics))
        some, topics = some[order], topics[order]
        begins = np.flatnonzero(np.append(True, topics[1:] != topics[:-1])[: len(topics)])
        sizes = np.diff(np.append(begins, len(some)))
        following = np.arange(1, len(some) + 1)
        following[begins + sizes - 1] = begins
        several = np.repeat(sizes > 1, sizes)
        sharing, alike = some[several], some[following][several]
        by_pmid = np.argsort(sharing)
        return cls(np.sort(pmids), sharing[by_pmid], alike[by_pmid])

    def alike_of(self, pmids: Pmids) -> dict[int, int]:
        """Return for those of these articles that have one the article that is alike."""
        asked, places = find_among(self.sharing, pmids)
        return dict(zip(pmids[asked].tolist(), self.alike[places].tolist(), strict=True))
