"""Scoring answers, by hand."""

import asyncio

import pytest

from retrieval.evaluate.judgments import Judgments
from retrieval.evaluate.scores import score, trec_run
from schemas.search import SearchRequest, SearchResponse
from tests.support.service.seams import Favours, Shelf, joined

JUDGMENTS = Judgments({"q1": "one", "q2": "two"}, {"q1": {"1": 1}, "q2": {"9": 1}}, None)


def answered(reranker: Favours | None) -> dict[str, SearchResponse]:
    service = joined(Shelf([2, 1, 3]), reranker)
    return {
        query: asyncio.run(service.search(SearchRequest(query=text)))[0] for query, text in JUDGMENTS.queries.items()
    }


def test_both_orders_are_scored_and_their_difference() -> None:
    scores = score(JUDGMENTS, answered(Favours({1: 5.0})), reranked=True)
    assert scores.reranked
    assert scores.difference
    # article 1 is second as retrieved and first as re-ranked; article 9 of q2 is never found
    assert scores.retrieval["RR@10"] == pytest.approx((1 / 2 + 0) / 2)
    assert scores.reranked["RR@10"] == pytest.approx((1 + 0) / 2)
    assert scores.difference["RR@10"].mean == pytest.approx(1 / 4)
    first, second = scores.per_query["q1"], scores.per_query["q2"]
    assert first.reranked
    assert first.reranked["RR@10"] == 1
    assert (second.query, second.retrieval["RR@10"]) == ("two", 0)


def test_retrieval_alone_has_one_system() -> None:
    found = score(JUDGMENTS, answered(None), reranked=False).model_dump(exclude_unset=True)
    assert set(found) == {"retrieval", "per_query"}
    assert set(found["per_query"]["q1"]) == {"query", "retrieval"}


def test_a_trec_run_has_a_line_per_hit_best_first() -> None:
    lines = list(trec_run(answered(Favours({1: 5.0}))))
    assert lines[:3] == ["q1 Q0 1 1 -1 pubray\n", "q1 Q0 2 2 -2 pubray\n", "q1 Q0 3 3 -3 pubray\n"]
    assert len(lines) == 6
