"""Articles ranked for articles, beside a plain replay; measures of the first k by hand."""

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.evaluate.judgments import Judgments
from retrieval.evaluate.similar_articles import gain_of_first, precision_of_first, rank_judged, score_similar
from retrieval.index.segment import OpenSegment
from tests.support.stores import corpus

ROWS = corpus.vectors(3, 60, normalize=False)
ROWS[40] = ROWS[41]
PMIDS = np.random.default_rng(3).permutation(1000)[:60]
REVISED, DELETED = PMIDS[[10, 20]].tolist()
GRADES = st.lists(st.integers(0, 2), max_size=30)


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> list[OpenSegment]:
    """Two, the second of which has an article that the first one outdates, with another vector, and one deleted."""
    folder, quantizer = tmp_path_factory.mktemp("segments"), corpus.quantizer("IVF4,SQ8", ROWS)
    first = corpus.build(folder / "s0", quantizer, ROWS[:30], PMIDS[:30])
    pmids = np.concatenate([[REVISED], PMIDS[30:]])
    second = corpus.build(folder / "s1", quantizer, np.concatenate([ROWS[:1], ROWS[30:]]), pmids)
    dead = np.flatnonzero(np.isin(first.pmids, [REVISED, DELETED]))
    return [second, corpus.opened(folder / "s0", first.manifest, quantizer, dead)]


def replayed(article: int, judged: list[int]) -> list[str]:
    """The order by a loop over the vectors that are alive."""
    vectors = {int(pmid): row.astype(np.float32) for pmid, row in zip(PMIDS, ROWS, strict=True)}
    vectors[REVISED] = ROWS[0].astype(np.float32)
    del vectors[DELETED]
    there = [pmid for pmid in judged if pmid in vectors]
    return [str(pmid) for pmid in sorted(there, key=lambda pmid: (-float(vectors[article] @ vectors[pmid]), pmid))]


@pytest.mark.parametrize("query", [0, 10, 35])
def test_judged_articles_are_ranked_by_the_vectors_that_are_alive(query: int, segments: list[OpenSegment]) -> None:
    article, judged = int(PMIDS[query]), [int(pmid) for pmid in np.delete(PMIDS, query)[::2]]
    ranking = rank_judged(str(article), [*map(str, judged), "999999"], segments)
    assert ranking == replayed(article, judged)
    assert len(ranking) == len(judged) - judged.count(DELETED)


def test_equal_scores_go_by_key(segments: list[OpenSegment]) -> None:
    equal = sorted(PMIDS[[40, 41]].tolist())
    for judged in (equal, equal[::-1]):
        assert rank_judged(str(PMIDS[0]), [*map(str, judged)], segments) == [*map(str, equal)]


def test_an_article_that_is_not_there_has_no_ranking(segments: list[OpenSegment]) -> None:
    assert rank_judged("999999", [str(PMIDS[0])], segments) == []
    assert rank_judged(str(DELETED), [str(PMIDS[0])], segments) == []
    assert rank_judged(str(PMIDS[0]), ["999999"], segments) == []


def test_the_precision_of_the_first_by_hand() -> None:
    grades = [2, 1, 0, 2, 0, 1, 0, 0, 0, 1]
    assert precision_of_first(grades, 10) == pytest.approx((1 + 2 / 2 + 3 / 4 + 4 / 6 + 5 / 10) / 5)
    assert precision_of_first(grades, 5) == pytest.approx((1 + 2 / 2 + 3 / 4) / 3)  # two more relevant ones come later
    assert precision_of_first([0, 0, 1], 2) == 0
    assert precision_of_first([0, 0, 1], 15) == pytest.approx(1 / 3)


def test_the_gain_of_the_first_by_hand() -> None:
    found, best = 0 + 2 + 1 / log2(3) + 0 + 1 / log2(5), 2 + 1 + 1 / log2(3)
    assert gain_of_first([0, 2, 1, 0, 1, 2, 2], 5) == pytest.approx(found / best)  # two better ones come later
    assert gain_of_first([0, 2, 1, 0, 1], 15) == pytest.approx(found / best)
    assert gain_of_first([1, 2], 5) == 1  # the first two places count alike
    assert gain_of_first([0, 0, 2], 2) == 0


@given(GRADES, st.integers(1, 20))
def test_the_best_order_of_the_first_has_one(grades: list[int], k: int) -> None:
    best = sorted(grades[:k], reverse=True)
    whole = 1 if any(best) else 0
    for measure in (precision_of_first, gain_of_first):
        assert measure(best, k) == pytest.approx(whole)
        assert measure(best + grades[k:], k) == measure(best, k)
        assert 0 <= measure(grades, k) <= measure(best, k) + 1e-12


def test_what_is_not_there_is_left_out_and_counted() -> None:
    relevance = {"q": {"a": 2, "b": 0, "c": 1, "gone": 2}, "r": {"a": 1, "b": 0}, "absent": {"a": 1, "b": 1, "c": 1}}
    judgments = Judgments({"q": "7", "r": "8", "absent": "9"}, relevance, None)
    scores = score_similar(judgments, {"q": ["b", "a", "c"], "r": ["a", "b"], "absent": []})
    assert (scores.queries, scores.judgments, scores.absent_queries, scores.absent_judgments) == (2, 5, 1, 1)
    assert scores.per_query["r"] == dict.fromkeys(scores.measures, 1.0)
    q = scores.per_query["q"]
    assert q["AP"] == q["MAP@5"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert q["nDCG"] == pytest.approx((2 / log2(3) + 1 / log2(4)) / (2 + 1 / log2(3)))
    assert q["NDCG@15"] == pytest.approx((2 + 1 / log2(3)) / (2 + 1))
    assert scores.measures == pytest.approx({name: (value + 1) / 2 for name, value in q.items()})
    assert [*scores.measures] == ["MAP@5", "MAP@10", "MAP@15", "NDCG@5", "NDCG@10", "NDCG@15", "AP", "nDCG"]
