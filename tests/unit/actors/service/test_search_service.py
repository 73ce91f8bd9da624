import asyncio
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.search.served_versions import ServedVersions
from actors.service.search_service import MAX_HITS, AnswerCache, SearchService
from actors.service.second_stage import Reranking
from schemas.article import ARTICLE_FIELDS
from schemas.errors import InputError, UnknownError
from schemas.filters import Condition, Wanted
from schemas.protocols import Lookup, Match, Reranker
from schemas.search import Hit, SearchRequest, SearchResponse
from tests.support.service.seams import VERSION, Favours, Gone, Lengths, Shelf, Slow, joined


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
    tasked = SearchService(ServedVersions(TASKED), Lengths(), Shelf([1]), None)
    [response] = asyncio.run(tasked.search(SearchRequest(query="12345", task="cite")))
    assert response.hits[0].retrieval_score == 5 + 4


def test_a_task_is_refused_where_the_encoder_takes_none() -> None:
    with pytest.raises(InputError, match="task 'cite': tiny takes no task; leave it out"):
        asyncio.run(joined(Shelf([1])).search(SearchRequest(query="q", task="cite")))


def test_a_list_of_queries_is_answered_in_its_order_by_one_call_of_each_stage() -> None:
    shelf, favours = Shelf([1, 2, 3]), Favours({3: 1.0})
    found = asyncio.run(joined(shelf, favours).search(SearchRequest(query=("a", "long query"), k=2)))
    assert [response.query for response in found] == ["a", "long query"]
    assert [ids(response) for response in found] == [["3", "1"]] * 2
    assert [response.hits[0].retrieval_score for response in found] == [1 - 2, 10 - 2]
    assert (len(shelf.depths), len(favours.seen)) == (2, 2)


def test_a_page_is_searched_to_its_last_hit() -> None:
    shelf = Shelf([1, 2, 3, 4, 5, 6])
    response = ask(shelf, Favours({4: 1.0}), k=2, offset=3, candidates=4)
    assert ([(hit.rank, hit.id) for hit in response.hits], shelf.depths) == ([(4, "3"), (5, "5")], [5])


class Named(Shelf):
    """A shelf that takes each query for the name of its last article."""

    def _matches(self, lookup: Lookup) -> list[Match]:
        *others, last = super()._matches(lookup)
        return [last._replace(named=True), *others] if lookup.name else [*others, last]


def test_the_article_that_a_query_names_stays_first_whatever_the_reranker_says() -> None:
    response = ask(Named([1, 2, 3]), Favours({2: 9.0, 1: 8.0, 3: -1.0}))
    assert ids(response) == ["3", "2", "1"]
    assert [hit.named for hit in response.hits] == [True, False, False]
    assert ids(ask(Named([1, 2, 3]), Favours({2: 9.0}), direct=False)) == ["2", "1", "3"]


@pytest.mark.parametrize(
    ("reranker", "reason"),
    [(Gone(), "the reranker does not answer; try again"), (Slow(), "the re-ranker took more than 0.01 s; try again")],
)
def test_a_reranker_that_does_not_answer_leaves_the_hits_as_retrieved_and_says_so(
    reranker: Reranker, reason: str
) -> None:
    ranking = Reranking(reranker, "favours", "logit", 3, seconds=0.01)
    service = SearchService(ServedVersions(VERSION), Lengths(), Shelf([3, 1, 2]), ranking)
    [response] = asyncio.run(service.search(SearchRequest(query="q", k=2)))
    assert (ids(response), response.reranked, response.degraded) == (["3", "1"], False, reason)
    assert {hit.score_kind for hit in response.hits} == {"inner_product"}


def test_an_article_is_told_with_all_that_is_shown() -> None:
    answer = asyncio.run(joined(Shelf([7])).article("7"))
    assert answer.model_fields_set == {"id", "version", *ARTICLE_FIELDS}
    shown = answer.article
    assert (shown.id, answer.version, shown.title, shown.year, shown.mesh) == ("7", "v1", "Title 7", 2020, ())
    with pytest.raises(UnknownError, match="article '8': version v1 has none of this id"):
        asyncio.run(joined(Shelf([7])).article("8"))


def test_similar_articles_are_those_near_its_vector_without_itself() -> None:
    shelf = Shelf([1, 2, 3, 4])
    response = asyncio.run(joined(shelf, Favours({})).similar("3", SearchRequest(query="3", k=3)))
    assert ids(response) == ["1", "2", "4"]
    assert response.query == "Title 3"
    assert response.hits[0].retrieval_score == 3  # the vector of article 3 on this shelf
    assert (response.reranked, shelf.depths) == (False, [4])


def test_readiness_asks_the_searcher() -> None:
    assert asyncio.run(joined(Shelf([1])).ready()).version == "v1"


def test_a_repeated_request_is_answered_from_what_is_kept_and_only_by_its_own_version() -> None:
    shelf = Shelf([1, 2, 3])
    versions = ServedVersions(VERSION)
    service = SearchService(versions, Lengths(), shelf, None, cached=2)

    async def ids_of(query: str) -> list[str]:
        [response] = await service.search(SearchRequest(query=query))
        return [response.version, *ids(response)]

    async def ask_all() -> None:
        first = await ids_of("a")
        assert await ids_of("a") == first == ["v1", "1", "2", "3"]
        assert len(shelf.depths) == 1
        versions.propose(VERSION.model_copy(update={"id": "v2"}))
        shelf.pmids.reverse()
        assert await ids_of("a") == ["v2", "3", "2", "1"]
        assert len(shelf.depths) == 2

    asyncio.run(ask_all())


ANSWER = SearchResponse(query="q", version="v1", hits=(), reranked=True, degraded=None, milliseconds={})


def request(query: int) -> SearchRequest:
    return SearchRequest(query=str(query))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.sampled_from(["v1", "v2"]))), st.integers(0, 4))
def test_it_holds_what_was_used_last_and_no_more(steps: list[tuple[bool, int, str]], entries: int) -> None:
    cache, model = AnswerCache(entries), OrderedDict[tuple[str, int], str]()
    for keeps, query, version in steps:
        if keeps:
            cache.keep(version, request(query), (ANSWER.model_copy(update={"query": f"{version} {query}"}),))
            model[version, query] = f"{version} {query}"
            model.move_to_end((version, query))
            while len(model) > entries:
                model.popitem(last=False)
            continue
        found = cache.find(version, request(query))
        assert (found[0].query if found else None) == model.get((version, query))
        if found:
            model.move_to_end((version, query))


def test_another_setting_is_another_request() -> None:
    cache = AnswerCache(9)
    cache.keep("v1", SearchRequest(query="q"), (ANSWER,))
    assert cache.find("v1", SearchRequest(query="q", k=10)) == (ANSWER,)
    for other in (SearchRequest(query="q", k=11), SearchRequest(query="q", rerank=False), SearchRequest(query="Q")):
        assert cache.find("v1", other) is None


def test_answers_that_lack_their_second_stage_are_not_kept() -> None:
    cache = AnswerCache(9)
    cache.keep("v1", request(1), (ANSWER.model_copy(update={"degraded": "slow"}),))
    assert cache.find("v1", request(1)) is None


def test_the_answers_to_a_large_request_are_not_kept() -> None:
    hit = Hit(
        id="1", rank=1, score=1, score_kind="fused", comparable=True, retrieval_score=1, rerank_score=None, named=False
    )
    cache = AnswerCache(9)
    for hits, kept in ((MAX_HITS // 2, True), (MAX_HITS // 2 + 1, False)):
        answers = (ANSWER.model_copy(update={"hits": (hit,) * hits}),) * 2
        cache.keep("v1", request(hits), answers)
        assert cache.find("v1", request(hits)) == (answers if kept else None)
