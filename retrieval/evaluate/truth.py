"""What an exact search finds for the queries by which recall is measured, carried from version to version.

An exact search reads every row. A night only drops what is gone from its answers, and searches the new segments; so
recall is measured against the truth every night, and a night still costs what changed.
"""

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retrieval.files.checked import read_named, write_named
from retrieval.index.exact import best_first
from retrieval.index.segment import OpenSegment
from retrieval.index.version_checks import live_in_one
from retrieval.search.segment_search import search_exactly
from schemas.arrays import Floats, Pmids
from schemas.layout import Layout
from schemas.store import Store

DEPTH = 256
"""Articles kept per query; with every one of them that is removed, one less."""
NEEDED = 100
"""Fewer are not enough to measure recall@100."""
ABSTRACT_CHARS = 150
"""Of an abstract that stands for a title."""


class Answer(NamedTuple):
    """The best articles for one query, best first."""

    scores: Floats
    pmids: Pmids


class Truth(NamedTuple):
    """Queries, and for each the best live articles of all, best first; as many as are known for certain."""

    queries: Floats  # (q, d)
    scores: Floats  # (q, DEPTH), then -inf
    pmids: NDArray[np.int64]  # (q, DEPTH), then -1

    def answers(self) -> list[Answer]:
        lengths = (self.pmids >= 0).sum(axis=1)
        return [Answer(s[:n], p[:n]) for s, p, n in zip(self.scores, self.pmids, lengths, strict=True)]


def sample_queries(segments: Sequence[OpenSegment], count: int, seed: int) -> list[str]:
    """Return texts of about `count` random live rows, one at least: titles, which are queries as users make them.

    Of an article without a title it is the beginning of the abstract. The same segments and seed give the same texts.
    """
    rng, articles, found = np.random.default_rng(seed), sum(s.live_rows for s in segments), list[str]()
    for segment in segments:
        share = min(round(count * segment.live_rows / articles), segment.live_rows)
        rows = rng.choice(np.flatnonzero(segment.live), share, replace=False)
        found += _texts(segment, np.sort(rows))
    return found or next(texts for s in segments if (texts := _texts(s, np.flatnonzero(s.live)[:1])))


def _texts(segment: OpenSegment, rows: NDArray[np.int64]) -> list[str]:
    texts = segment.articles.select(["title", "abstract"]).take(pa.array(rows)).to_pydict()
    both = zip(texts["title"], texts["abstract"], strict=True)
    return [title or abstract[:ABSTRACT_CHARS] for title, abstract in both]


def find_truth(queries: Floats, segments: Sequence[OpenSegment]) -> Truth:
    """Search for (q, d) queries in every row."""
    return _truth(queries, [Answer(c.scores, c.pmids) for c in search_exactly(queries, segments, DEPTH)])


def carry_truth(truth: Truth, before: Sequence[OpenSegment], after: Sequence[OpenSegment]) -> Truth | None:
    """Return the truth of a version from that of the version before; None if too little of it is left.

    Of segments of both, only the PMIDs of rows that died are read.
    """
    known = {segment.manifest.id for segment in before}
    gone = np.concatenate(live_in_one(before, after))
    new = search_exactly(truth.queries, [s for s in after if s.manifest.id not in known], DEPTH)
    articles_before, articles = (sum(s.live_rows for s in segments) for segments in (before, after))
    results = []
    for old, came in zip(truth.answers(), new, strict=True):
        answer = _carried(old, Answer(came.scores, came.pmids), gone, complete=len(old.pmids) == articles_before)
        if len(answer.pmids) < min(NEEDED, articles):
            return None
        results.append(answer)
    return _truth(truth.queries, results)


def write_truth(store: Store, truth: Truth) -> str:
    """Store it under the key of its sha256, which is returned."""
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **truth._asdict())
    return write_named(store, Layout.truth, content.getvalue())


def read_truth(store: Store, sha256: str) -> Truth:
    """Return what was stored, if it is what it was (see `read_named`)."""
    with np.load(io.BytesIO(read_named(store, Layout.truth, sha256, "truth")), allow_pickle=False) as arrays:
        return Truth(**arrays)


def _carried(old: Answer, came: Answer, gone: Pmids, *, complete: bool) -> Answer:
    """Return the best of old and new articles. Unless the old ones were all, others come behind the last of them."""
    stays, joins = ~np.isin(old.pmids, gone), np.ones(len(came.pmids), bool)
    if not complete:
        worst, last = old.scores[-1], old.pmids[-1]
        joins = (came.scores > worst) | ((came.scores == worst) & (came.pmids < last))
    scores = np.concatenate([old.scores[stays], came.scores[joins]])
    pmids = np.concatenate([old.pmids[stays], came.pmids[joins]])
    best = best_first(scores, pmids, DEPTH)
    return Answer(scores[best], pmids[best])


def _truth(queries: Floats, answers: Sequence[Answer]) -> Truth:
    scores = np.full((len(queries), DEPTH), -np.inf, np.float32)
    pmids = np.full((len(queries), DEPTH), -1, np.int64)
    for row, answer in enumerate(answers):
        scores[row, : len(answer.pmids)], pmids[row, : len(answer.pmids)] = answer
    return Truth(queries, scores, pmids)


def recall(found: Sequence[Pmids], truth: Sequence[Pmids], k: int) -> float:
    """Return recall@k: the mean share of the k true PMIDs (or as many as there are) among the k first found."""
    shares = [np.isin(true[:k], got[:k]).mean() for got, true in zip(found, truth, strict=True)]
    return float(np.mean(shares))


def candidate_recall(candidates: Sequence[Pmids], truth: Sequence[Pmids], k: int) -> float:
    """Return the recall@k that candidates, in any order, have once they are ordered by their exact scores.

    None comes before the k true ones then but one of these, so that the scores need not be known.
    """
    shares = [np.isin(true[:k], got).mean() for got, true in zip(candidates, truth, strict=True)]
    return float(np.mean(shares))
