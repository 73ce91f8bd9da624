"""Which articles have the text of another one: errata and re-issues, that a title or an abstract finds as well."""

from collections.abc import Iterator
from typing import Self

import numpy as np
from numpy.typing import NDArray

from retrieval.articles.pmids import PmidClass, find_among, pmid_classes
from retrieval.articles.snapshot import Snapshot, key_groups
from schemas.arrays import Pmids
from schemas.store import Store


class EqualTexts:
    """Articles that have the text of another one: each is known by the lowest PMID of those of its text."""

    def __init__(self, others: Pmids, firsts: Pmids) -> None:
        """others: all of them. firsts: by which each of these is known. Memory: 16 bytes for each."""
        order = np.argsort(others)
        self._others, self._firsts = others[order], firsts[order]

    @classmethod
    def of(cls, store: Store, snapshot: Snapshot) -> Self:
        """Look among all articles of a snapshot, in classes of texts. Memory: 60 bytes an article of one class."""
        classes = pmid_classes(snapshot.info.counts.alive)
        found = [equal_among(*_texts(store, snapshot, of)) for of in classes]
        others, firsts = (np.concatenate(one) for one in zip(*found, strict=True))
        return cls(others, firsts)

    def first(self, pmids: Pmids) -> Pmids:
        """Return for each PMID the lowest one that has its text."""
        found, places = find_among(self._others, pmids)
        firsts = pmids.copy()
        firsts[found] = self._firsts[places]
        return firsts


def equal_among(pmids: Pmids, text_hashes: NDArray[np.uint64]) -> tuple[Pmids, Pmids]:
    """Return the articles whose text one with a lower PMID has, and the lowest PMID of that text."""
    order = np.lexsort((pmids, text_hashes))
    pmids, text_hashes = pmids[order], text_hashes[order]
    begins = np.append(True, text_hashes[1:] != text_hashes[:-1])[: len(pmids)]
    first = pmids[np.maximum.accumulate(np.where(begins, np.arange(len(pmids)), 0))]
    return pmids[~begins], first[~begins]


def _texts(store: Store, snapshot: Snapshot, class_: PmidClass) -> tuple[Pmids, NDArray[np.uint64]]:
    def of_class() -> Iterator[tuple[Pmids, NDArray[np.uint64]]]:
        yield np.empty(0, np.int64), np.empty(0, np.uint64)
        for group in key_groups(store, snapshot, ["pmid", "text_hash"]):
            hashes = group["text_hash"].to_numpy()
            mine = class_.holds(hashes.view(np.int64))  # any number will do
            yield group["pmid"].to_numpy()[mine], hashes[mine]

    pmids, hashes = zip(*of_class(), strict=True)
    return np.concatenate(pmids), np.concatenate(hashes)
