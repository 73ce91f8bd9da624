from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from actors.service.answer_cache import MAX_HITS, AnswerCache
from schemas.search import Hit, SearchRequest, SearchResponse

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
