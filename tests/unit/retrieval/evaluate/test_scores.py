"""Scoring answers, by hand."""

import asyncio
from math import log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.evaluate.judgments import Judgments
from retrieval.evaluate.scores import measure, paired_difference, score, trec_run
from schemas.quality_report import PairedDifference
from schemas.search import SearchRequest, SearchResponse
from tests.support.service.seams import Favours, Shelf, joined

RELEVANCE = {"q": {"a": 2, "b": 1, "c": 0, "d": 1}}


def judgments(judged: frozenset[str] | None = None) -> Judgments:
    return Judgments({"q": "text"}, RELEVANCE, judged)


def test_measures_by_hand() -> None:
    values = measure(judgments(), {"q": ["c", "b", "x", "a"]})
    ideal = 2 + 1 / log2(3) + 1 / log2(4)  # a, then b and d; trec_eval's gain is the grade itself
    assert values["nDCG@10"]["q"] == pytest.approx((1 / log2(3) + 2 / log2(5)) / ideal)
    assert values["RR@10"]["q"] == pytest.approx(1 / 2)
    assert values["R@10"]["q"] == values["R@100"]["q"] == pytest.approx(2 / 3)
    assert values["AP"]["q"] == pytest.approx((1 / 2 + 2 / 4) / 3)


def test_the_papers_cuts_by_hand() -> None:
    others = [f"x{i}" for i in range(30)]
    ranking = [*others[:4], "b", *others[4:17], "a", "x30", "d"]  # ranks 5, 19 and 21
    values = {name: value["q"] for name, value in measure(judgments(), {"q": ranking}).items()}
    assert (values["R@1"], values["R@5"], values["R@20"]) == pytest.approx((0, 1 / 3, 2 / 3))
    assert values["RR@5"] == values["RR@10"] == pytest.approx(1 / 5)
    assert values["nDCG@20"] == pytest.approx((1 / log2(6) + 2 / log2(20)) / (2 + 1 / log2(3) + 1 / log2(4)))
    later = measure(judgments(), {"q": [*others[:5], "b"]})
    assert (later["RR@5"]["q"], later["RR@10"]["q"]) == pytest.approx((0, 1 / 6))


def test_unjudged_articles_are_left_out_first() -> None:
    everyone = measure(judgments(), {"q": ["x", "y", "a"]})
    judged = measure(judgments(frozenset("abcd")), {"q": ["x", "y", "a"]})
    assert everyone["RR@10"]["q"] == pytest.approx(1 / 3)
    assert judged["RR@10"]["q"] == 1


def test_ten_is_counted_after_the_unjudged_are_out() -> None:
    ranking = [f"x{i}" for i in range(10)] + ["a"]
    assert measure(judgments(), {"q": ranking})["R@10"]["q"] == 0
    assert measure(judgments(frozenset("abcd")), {"q": ranking})["R@10"]["q"] == pytest.approx(1 / 3)


def test_the_best_ranking_has_one_and_order_matters_within_long_rankings() -> None:
    ranking = ["a", "b", "d", *(f"x{i}" for i in range(200))]
    values = measure(judgments(), {"q": ranking})
    found = {name: value["q"] for name, value in values.items()}
    assert found.pop("R@1") == pytest.approx(1 / 3)  # of three relevant ones
    assert found == dict.fromkeys(found, 1.0)
    assert measure(judgments(), {"q": ranking[::-1]})["R@100"]["q"] == 0


@pytest.mark.parametrize("ranking", [[], ["x"], ["c"]])
def test_a_query_that_finds_nothing_counts_with_zero(ranking: list[str]) -> None:
    relevance = {**RELEVANCE, "p": {"a": 1}}
    values = measure(Judgments({"q": "", "p": ""}, relevance, None), {"q": ranking, "p": ["a"]})
    assert values["nDCG@10"] == {"q": 0, "p": 1}


def interval(found: PairedDifference) -> tuple[float, float, float]:
    return found.mean, found.low, found.high


@settings(max_examples=10)
@given(st.floats(-1, 1))
def test_a_constant_difference_is_certain(difference: float) -> None:
    before = {str(i): i / 7 for i in range(9)}
    after = {query: value + difference for query, value in before.items()}
    assert interval(paired_difference(before, after)) == pytest.approx((difference,) * 3, abs=1e-9)


def test_a_difference_is_paired_by_query_and_its_interval_is_the_means() -> None:
    before = {"a": 0.0, "b": 1.0}
    mean, low, high = interval(paired_difference(before, {"b": 1.0, "a": 1.0}))
    assert (mean, low, high) == (0.5, 0, 1)
    before, after = {str(i): 0.0 for i in range(400)}, {str(i): float(i % 2) for i in range(400)}
    mean, low, high = interval(paired_difference(before, after))
    assert mean == 0.5
    assert low == pytest.approx(0.5 - 1.96 * 0.5 / 20, abs=0.004)
    assert high == pytest.approx(0.5 + 1.96 * 0.5 / 20, abs=0.004)


def test_an_interval_comes_out_the_same_again() -> None:
    before, after = {str(i): 0.0 for i in range(20)}, {str(i): i / 20 for i in range(20)}
    assert paired_difference(before, after) == paired_difference(before, after)


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


def scores_of(responses: dict[str, SearchResponse]) -> list[float]:
    lines = [line.split() for line in trec_run(responses)]
    assert [line[:2] + line[3:4] + line[5:] for line in lines[:2]] == [["q1", "Q0", n, "pubray"] for n in "12"]
    return [float(line[4]) for line in lines if line[0] == "q1"]


def test_a_trec_run_has_the_scores_of_the_hits() -> None:
    responses = answered(Favours({1: 5.0}))
    assert scores_of(responses) == pytest.approx([hit.score for hit in responses["q1"].hits], abs=1e-4)
    assert [line.split()[2] for line in trec_run(responses)][:3] == [hit.id for hit in responses["q1"].hits]


def test_scores_of_a_run_fall_with_the_rank_where_kinds_follow_one_another_or_are_equal() -> None:
    [answer] = list(answered(Favours({1: 5.0})).values())[:1]
    seen, unseen, last = answer.hits[:3]
    hits = (
        seen.model_copy(update={"score": -2.0, "rerank_score": -2.0}),
        seen.model_copy(update={"score": -2.0, "rerank_score": -2.0, "rank": 2}),
        unseen.model_copy(update={"score": 0.9, "rerank_score": None}),
        last.model_copy(update={"score": 0.4, "rerank_score": None}),
    )
    found = scores_of({"q1": answer.model_copy(update={"hits": hits, "reranked": True})})
    assert found == sorted(set(found), reverse=True)
    assert found == pytest.approx([-2.0, -2.0, -2.0, -2.5], abs=1e-4)
