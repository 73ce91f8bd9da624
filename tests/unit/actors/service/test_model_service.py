import asyncio
import base64
import math
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.search.served_versions import ServedVersions
from actors.service.model_service import ModelService, article_text, relevance
from schemas.arrays import Vector
from schemas.compatible_vectors import EmbeddingsRequest, EmbeddingsResponse
from schemas.errors import ProtocolError, UnknownError
from schemas.protocols import ArticleText, Query
from schemas.search import ScoreKind
from tests.support.service.seams import VERSION, Favours, Lengths, Shelf, joined

MODELS = joined(Shelf([])).models


def embed(model: str | None = "tiny:query", *texts: str, **request: object) -> EmbeddingsResponse:
    asked = EmbeddingsRequest.model_validate({"model": model, "input": [*texts] or "text", **request})
    return asyncio.run(MODELS.embed(asked))


def reranking(favours: Favours) -> ModelService:
    return joined(Shelf([]), favours).models


def order(favours: Favours, *documents: str) -> list[int]:
    return [score.place for score in asyncio.run(reranking(favours).rerank("q", documents)).scores]


def test_each_tower_is_a_model() -> None:
    assert [model.id for model in MODELS.models().data] == ["tiny:query", "tiny:article"]
    assert {model.created for model in MODELS.models().data} == {1767225600}  # 2026-01-01


def test_a_model_is_had_by_its_name() -> None:
    assert (MODELS.model("tiny:article"),) == MODELS.models().data[1:]
    with pytest.raises(UnknownError, match="model 'gpt': there are 'tiny:query' and 'tiny:article'"):
        MODELS.model("gpt")


def test_the_model_names_the_tower() -> None:
    assert [one.embedding for one in embed("tiny:query", "abc", "ab").data] == [(3.0,), (2.0,)]
    assert [one.embedding for one in embed("tiny:article", "abc\nde", "ab").data] == [(-5.0,), (-2.0,)]


def test_base64_is_of_little_endian_float32() -> None:
    [one] = embed("tiny:query", "abc", encoding_format="base64").data
    assert isinstance(one.embedding, str)
    assert np.frombuffer(base64.b64decode(one.embedding), "<f4").tolist() == [3.0]


def test_tokens_are_counted() -> None:
    usage = embed("tiny:article", "two words\nthree more words", "one").usage
    assert (usage.prompt_tokens, usage.total_tokens) == (6, 6)


@pytest.mark.parametrize("model", ["", "tiny:", "tiny:document", "other:query", ":query", "text-embedding-3-small"])
def test_another_model_is_refused_and_the_two_are_named(model: str) -> None:
    with pytest.raises(ProtocolError, match="there are 'tiny:query' and 'tiny:article'"):
        embed(model)


@pytest.mark.parametrize("model", ["tiny", "default/not-specified", None])
def test_no_tower_is_that_for_queries(model: str | None) -> None:
    assert embed(model, "abc") == embed("tiny:query", "abc")


def test_dimensions_are_the_encoders_or_refused() -> None:
    assert embed(dimensions=1).data
    with pytest.raises(ProtocolError, match="dimensions 256: vectors have 1; leave it out"):
        embed(dimensions=256)


@pytest.mark.parametrize(
    ("text", "title", "abstract"),
    [("a title", "a title", ""), ("a title\nan abstract\nof two lines", "a title", "an abstract\nof two lines")],
)
def test_the_first_line_of_an_article_is_its_title(text: str, title: str, abstract: str) -> None:
    assert article_text(text) == ArticleText(title, abstract)


def test_documents_come_best_first_and_equal_ones_in_their_order() -> None:
    assert order(Favours({2: 4.0, 4: 9.0}), *"abcdef") == [4, 2, 0, 1, 3, 5]


def test_the_reranker_gets_as_many_at_a_time_as_from_a_search() -> None:
    favours = Favours({44: 1.0})
    assert order(favours, *"x" * 45)[:2] == [44, 0]
    assert favours.seen == [[*range(20)], [*range(20, 40)], [*range(40, 45)]]


def test_the_encoder_gets_no_more_at_a_time_than_from_a_search() -> None:
    class Watched(Lengths):
        seen: ClassVar[list[int]] = []

        async def encode(self, texts: list[Query | ArticleText]) -> list[Vector]:
            self.seen.append(len(texts))
            return await super().encode(texts)

    models = ModelService(ServedVersions(VERSION), Watched(), None)
    request = EmbeddingsRequest(model="tiny:query", input=tuple("x" * i for i in range(1, 101)))
    answer = asyncio.run(models.embed(request))
    assert [one.embedding for one in answer.data] == [(float(i),) for i in range(1, 101)]
    assert (Watched.seen, answer.usage.total_tokens) == ([64, 36], 100)


def test_a_document_is_scored_as_its_own_score_and_from_0_to_1() -> None:
    [first, second] = asyncio.run(reranking(Favours({1: 4.0})).rerank("q", ["a", "b"])).scores
    assert (first.place, first.raw, second.place, second.raw) == (1, 2.0, 0, 0.0)
    assert [first.relevance, second.relevance] == pytest.approx([1 / (1 + math.exp(-2)), 0.5])


def test_pairs_are_scored_in_their_order_and_those_of_one_query_together() -> None:
    favours = Favours({0: 1.0, 2: 5.0})
    pairs = [("q", "a b"), ("q", "c"), ("r s", "d"), ("q", "e")]
    scored = asyncio.run(reranking(favours).score(pairs))
    assert [(score.place, score.raw) for score in scored.scores] == [(0, 0.5), (1, 0.0), (2, 2.5), (3, 0.0)]
    assert favours.seen == [[0, 1], [2], [3]]
    assert (scored.tokens, scored.usage.total_tokens) == (1 + 2 + 5, 8)


def test_the_encoder_is_told() -> None:
    info = MODELS.info()
    assert (info.model_id, info.version, info.model_type.embedding.pooling) == ("tiny", "v1", "cls")


def test_without_a_reranker_there_is_nothing_to_ask() -> None:
    with pytest.raises(UnknownError, match="no re-ranker is configured"):
        asyncio.run(MODELS.rerank("q", ["a"]))
    with pytest.raises(UnknownError, match="no re-ranker is configured"):
        MODELS.reranker()


def test_the_reranker_is_asked_by_its_name_or_by_none() -> None:
    models = reranking(Favours({}))
    assert models.reranker() == models.reranker("favours") == models.reranker("default/not-specified") == "favours"
    with pytest.raises(ProtocolError, match=r"model 'rerank-v3\.5': there is 'favours'"):
        models.reranker("rerank-v3.5")


@given(kind=st.sampled_from(["logit", "fused"]), pair=st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False)))
def test_relevance_is_from_0_to_1_and_keeps_the_order(kind: ScoreKind, pair: tuple[float, float]) -> None:
    low, high = (relevance(raw, kind) for raw in sorted(pair))
    assert 0 <= low <= high <= 1


def test_a_cosine_and_a_logit_have_scales_of_their_own() -> None:
    assert [relevance(raw, "fused") for raw in (-1.0, 0.0, 0.5, 1.0)] == [0, 0.5, 0.75, 1]
    assert [round(relevance(raw, "logit"), 3) for raw in (-1000.0, -1.0, 0.0, 1.0, 1000.0)] == [0, 0.269, 0.5, 0.731, 1]
