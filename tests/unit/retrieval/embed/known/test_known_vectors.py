import numpy as np

from retrieval.embed.known.known_vectors import Known, KnownCounts


def test_counts_are_nothing_unless_they_are_given() -> None:
    known = Known(np.empty(0, np.intp), np.empty((0, 4), np.float16))
    assert known.counts == KnownCounts(verified=0, unverified=0, stale=0, missing=0)
