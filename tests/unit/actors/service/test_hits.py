from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.service.hits import article_response, hits
from schemas.article import DisplayArticle
from schemas.protocols import Match, RerankScore, StoredArticle
from schemas.search import ArticleField, Hit, HitsRequest, ScoreKind, Shown
from tests.support.service.seams import VERSION

ARTICLE = DisplayArticle(
    7,
    None,
    "Statins and muscle pain",
    "Pain of muscles.",
    ("Hopper G",),
    "J",
    "2020-05",
    2020,
    "10.1/7",
    True,
    ("Letter",),
    ("Pain",),
    ("eng",),
)


def match(pmid: int, score: float = 0.0, *, named: bool = False) -> Match:
    return Match(score, ARTICLE._replace(pmid=pmid), named)


def retrieved(*pmids: int) -> list[Match]:
    """Matches whose scores are 10, 9, …"""
    return [match(pmid, 10.0 - place) for place, pmid in enumerate(pmids)]


def answer(
    matches: list[Match],
    finals: list[float] | None = None,
    *,
    kind: ScoreKind = "logit",
    normalize: bool = False,
    query: str = "query",
    **request: Any,
) -> tuple[Hit, ...]:
    """The hits for final scores of the first matches; the raw ones are half as high."""
    scores = None if finals is None else [RerankScore(raw=final / 2, final=final) for final in finals]
    encoder = VERSION.encoder.model_copy(update={"normalize": normalize})
    return hits(matches, scores, query, HitsRequest(**request), None if finals is None else kind, encoder)


def ids(found: tuple[Hit, ...]) -> list[int]:
    return [int(hit.id) for hit in found]


def test_named_articles_stay_in_the_order_in_which_they_are_named() -> None:
    matches = [match(9, named=True), match(4, named=True), *retrieved(1, 2)]
    assert ids(answer(matches, [1.0, 2.0, 3.0, 4.0])) == [9, 4, 2, 1]
    assert ids(answer(matches, [1.0])) == ids(answer(matches)) == [9, 4, 1, 2]


def test_the_rerankers_order_decides() -> None:
    found = answer(retrieved(1, 2, 3), [7.0, 9.0, 8.0])
    assert ids(found) == [2, 3, 1]
    assert [hit.rank for hit in found] == [1, 2, 3]


def test_without_a_reranker_hits_are_as_retrieved() -> None:
    found = answer(retrieved(3, 1, 2))
    assert ids(found) == [3, 1, 2]
    assert [(hit.score, hit.rerank_score) for hit in found] == [(10, None), (9, None), (8, None)]


def test_a_hit_carries_all_its_scores() -> None:
    first, _ = answer(retrieved(1, 2), [0.0, 9.0])
    assert (first.score, first.rerank_score, first.retrieval_score) == (9.0, 4.5, 9.0)
    first, _ = answer(retrieved(1, 2), [8.0, 0.0])
    assert (first.score, first.rerank_score, first.retrieval_score) == (8.0, 4.0, 10.0)


def test_equal_scores_are_in_order_of_pmid() -> None:
    assert ids(answer(retrieved(7, 3, 5, 4), [0.0, 0.0, 1.0, 0.0])) == [5, 3, 4, 7]


def test_what_the_reranker_did_not_see_follows_as_retrieved() -> None:
    found = answer(retrieved(8, 9, 7, 6, 5), [-2.0, -1.0])
    assert ids(found) == [9, 8, 7, 6, 5]
    assert [hit.rerank_score is None for hit in found] == [False, False, True, True, True]
    assert [hit.score_kind for hit in found] == ["logit"] * 2 + ["inner_product"] * 3
    assert found[3].score == found[3].retrieval_score == 7


@pytest.mark.parametrize(
    ("kind", "normalize", "comparable"),
    [("logit", False, True), ("logit", True, True), ("fused", False, False), ("fused", True, False)],
)
def test_logits_can_be_compared_between_queries_and_fused_scores_cannot(
    kind: ScoreKind, normalize: bool, comparable: bool
) -> None:
    [hit] = answer(retrieved(1), [1.0], kind=kind, normalize=normalize)
    assert (hit.score_kind, hit.comparable) == (kind, comparable)


@pytest.mark.parametrize("normalize", [True, False])
def test_inner_products_can_be_compared_where_vectors_have_one_length(normalize: bool) -> None:
    [hit] = answer(retrieved(1), normalize=normalize)
    assert (hit.score_kind, hit.comparable) == ("inner_product", normalize)


def test_the_article_that_the_query_names_is_first_whatever_its_score() -> None:
    matches = [match(3, named=True), *retrieved(1, 2)]
    found = answer(matches, [-1.0, 8.0, 9.0])
    assert ids(found) == [3, 2, 1]
    assert [hit.named for hit in found] == [True, False, False]


@given(
    pmids=st.lists(st.integers(1, 50), unique=True, max_size=20),
    finals=st.lists(st.sampled_from([-1.0, 0.0, 2.0]), max_size=20),
    k=st.integers(1, 25),
    offset=st.integers(0, 8),
)
def test_hits_are_the_best_each_once_less_those_before_the_offset(
    pmids: list[int], finals: list[float], k: int, offset: int
) -> None:
    finals = finals[: len(pmids)]
    found = answer(retrieved(*pmids), finals, k=k, offset=offset)
    scored = [pmid for _, pmid in sorted(zip([-final for final in finals], pmids, strict=False))]
    assert ids(found) == [*scored, *pmids[len(finals) :]][offset : offset + k]
    assert [hit.rank for hit in found] == [*range(offset + 1, offset + 1 + len(found))]


def test_only_what_is_asked_for_is_shown_of_an_article() -> None:
    fields: tuple[ArticleField, ...] = ("year", "journal")
    [hit] = answer([Match(1.0, ARTICLE)], fields=fields)
    shown = hit.model_dump(exclude_unset=True)
    assert {name: shown[name] for name in shown.keys() & Shown.model_fields} == {"year": 2020, "journal": "J"}
    assert "highlights" not in shown


def test_words_of_the_query_are_marked_where_that_is_asked_for() -> None:
    [hit] = answer([Match(1.0, ARTICLE)], query="which muscle?", highlight=True, fields=())
    assert hit.highlights
    assert (hit.highlights.title, hit.highlights.abstract) == (((12, 18),), ((8, 15),))
    [hit] = answer([Match(1.0, ARTICLE)], query="which muscle?")
    assert hit.highlights is None


def test_an_article_is_told_with_all_that_is_shown_and_by_its_own_id() -> None:
    stored = StoredArticle(np.array([0.5, -1], np.float32), ARTICLE)
    told = article_response(stored, "v1").model_dump()
    assert (told.pop("id"), told.pop("version"), told.pop("vector")) == ("7", "v1", None)
    assert told == {name: getattr(ARTICLE, name) for name in Shown.model_fields}
    assert article_response(stored._replace(article=ARTICLE._replace(doc_id="doc-a")), "v1").id == "doc-a"
    assert "vector" not in article_response(stored, "v1").model_fields_set
    assert article_response(stored, "v1", vector=True).vector == (0.5, -1)
