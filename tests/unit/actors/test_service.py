import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.service import SearchService
from actors.versions import Versions
from schemas.errors import InputError
from schemas.filters import Condition, Wanted
from schemas.search import SearchRequest, SearchResponse
from tests.unit.actors.seams import VERSION, Favours, Lengths, Shelf, joined


def ask(
    shelf: Shelf, reranker: Favours | None, *, query: str = "query", k: int = 10, rerank: bool = True, **request: Any
) -> SearchResponse:
    asked = SearchRequest(query=query, k=k, rerank=rerank, **request)
    [response] = asyncio.run(joined(shelf, reranker, candidates=4).search(asked))
    return response


def ids(response: SearchResponse) -> list[str]:
    return [hit.id for hit in response.hits]


def test_the_rerankers_order_decides() -> None:
    response = ask(Shelf([1, 2, 3]), Favours({2: 9.0, 3: 8.0, 1: 7.0}))
    assert ids(response) == ["2", "3", "1"]
    assert [hit.rank for hit in response.hits] == [1, 2, 3]
    assert [(hit.score_kind, hit.comparable) for hit in response.hits] == [("logit", True)] * 3


def test_a_hit_carries_all_its_scores() -> None:
    first = ask(Shelf([1, 2]), Favours({2: 9.0}), query="12345").hits[0]
    assert (first.score, first.rerank_score, first.retrieval_score) == (9.0, 4.5, 5.0 - 1)


def test_equal_scores_are_in_order_of_pmid() -> None:
    assert ids(ask(Shelf([7, 3, 5, 4]), Favours({5: 1.0}))) == ["5", "3", "4", "7"]


def test_what_the_reranker_does_not_see_follows_as_retrieved() -> None:
    favours = Favours({9: 1.0, 6: 100.0})
    response = ask(Shelf([8, 9, 7, 6, 5]), favours, k=5, candidates=2)
    assert favours.seen == [[8, 9]]
    assert ids(response) == ["9", "8", "7", "6", "5"]
    assert [hit.rerank_score is None for hit in response.hits] == [False, False, True, True, True]
    assert response.hits[3].score == response.hits[3].retrieval_score


def test_more_candidates_than_hits_are_searched_and_reranked() -> None:
    shelf, favours = Shelf([1, 2, 3, 4, 5, 6]), Favours({4: 1.0})
    assert ids(ask(shelf, favours, k=1)) == ["4"]  # the service's own 4 candidates
    assert ids(ask(shelf, favours, k=1, candidates=6)) == ["4"]
    assert ids(ask(shelf, favours, k=1, candidates=3)) == ["1"]
    assert shelf.depths == [4, 6, 3]


def test_the_filters_of_a_request_are_searched_with() -> None:
    shelf, year = Shelf([1, 2]), Condition(field="year", op="=", value=2020)
    ask(shelf, None)
    ask(shelf, None, filters=(year,))
    ask(shelf, None, filters=(year,), include_retracted=True)
    assert shelf.wanted == [Wanted(), Wanted((year,)), Wanted((year,), retracted=True)]


def test_without_reranking_hits_are_as_retrieved_and_no_deeper() -> None:
    shelf, favours = Shelf([3, 1, 2]), Favours({2: 9.0})
    response = ask(shelf, favours, k=2, rerank=False)
    assert ids(response) == ["3", "1"]
    assert (favours.seen, shelf.depths, response.reranked) == ([], [2], False)
    assert {(hit.score_kind, hit.comparable) for hit in response.hits} == {("inner_product", False)}
    assert {hit.rerank_score for hit in response.hits} == {None}


def test_a_service_without_reranker_answers_as_retrieved() -> None:
    response = ask(Shelf([3, 1, 2]), None)
    assert (ids(response), response.reranked, response.degraded) == (["3", "1", "2"], False, None)


def test_an_empty_index_answers_nothing() -> None:
    assert ask(Shelf([]), Favours({})).hits == ()
    assert ask(Shelf([]), None).hits == ()


def test_a_corpus_with_ids_of_its_own_answers_with_them() -> None:
    assert ids(ask(Shelf([2, 1], {2: "doc-b"}), None)) == ["doc-b", "1"]


def test_stages_are_timed() -> None:
    assert list(ask(Shelf([1]), Favours({})).milliseconds) == ["encode", "search", "rerank"]
    assert list(ask(Shelf([1]), None).milliseconds) == ["encode", "search"]


def test_the_version_is_told() -> None:
    info = joined(Shelf([]), Favours({})).version()
    assert (info.version, info.articles, info.encoder, info.reranker) == ("v1", 6, "tiny", "favours")
    assert info.recall_at_10 == 0.97


@given(
    pmids=st.lists(st.integers(1, 50), unique=True, max_size=20),
    scores=st.dictionaries(st.integers(1, 50), st.sampled_from([-1.0, 0.0, 2.0])),
    k=st.integers(1, 25),
    candidates=st.integers(1, 25),
)
def test_hits_are_the_best_retrieved_each_once(
    pmids: list[int], scores: dict[int, float], k: int, candidates: int
) -> None:
    found = [int(i) for i in ids(ask(Shelf(pmids), Favours(scores), k=k, candidates=candidates))]
    head = sorted(pmids[:candidates], key=lambda p: (-scores.get(p, 0.0), p))
    assert found == [*head, *pmids[candidates:]][:k]


TASKED = VERSION.model_copy(
    update={
        "encoder": VERSION.encoder.model_copy(
            update={"query": VERSION.encoder.query.model_copy(update={"template": "{task}: {text}", "task": "find"})}
        )
    }
)


def test_a_task_reaches_the_query_tower() -> None:
    tasked = SearchService(Versions(TASKED), Lengths(), Shelf([1]), None)
    [response] = asyncio.run(tasked.search(SearchRequest(query="12345", task="cite")))
    assert response.hits[0].retrieval_score == 5 + 4


def test_a_task_is_refused_where_the_encoder_takes_none() -> None:
    with pytest.raises(InputError, match="task 'cite': tiny takes no task; leave it out"):
        asyncio.run(joined(Shelf([1])).search(SearchRequest(query="q", task="cite")))
