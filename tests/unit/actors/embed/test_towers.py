"""Vectors as published procedures make them, and design invariant 8: an article's vector does not depend on its
neighbours in the batch."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModel

from actors.embed.towers import ArticleTower, QueryTower, TextEncoder
from schemas.arrays import Floats
from schemas.config import EngineConfig
from schemas.encoder import EncoderSpec, Pooling
from schemas.errors import UnavailableError
from schemas.protocols import ArticleText, Query
from tests.support.examples import examples
from tests.support.models import tiny

TORCH = EngineConfig(kind="torch", precision="float32", batch_tokens=64)
TITLES = [
    "Statins and muscle pain",
    "Cromolyn in hay fever: a double-blind trial",
    "",
    "x",
    *(f"Effect of dose {i} on {'very ' * i}long outcomes in mice" for i in range(9)),
]


def article_tower(spec: EncoderSpec) -> ArticleTower:
    return ArticleTower(tiny.config(spec, TORCH), 1)


@pytest.fixture(scope="module")
def tiny_torch(tiny_encoder: Path) -> ArticleTower:
    return article_tower(tiny.spec(tiny_encoder))


def published(folder: Path, pooling: Pooling, *, normalize: bool, pair: bool) -> Floats:
    """Encode `tiny.TEXTS` in one padded batch, as the model cards of MedCPT, sentence-transformers and BMRetriever
    say."""
    tokenizer, model = tiny.transformers_tokenizer(folder), AutoModel.from_pretrained(folder)
    texts = [[title, abstract] if pair else f"{title} {abstract}".strip() for title, abstract in tiny.TEXTS]
    encoded = tokenizer(texts, truncation=True, padding=True, return_tensors="pt", max_length=tiny.MAX_LENGTH)
    mask = encoded["attention_mask"]
    with torch.no_grad():
        hidden = model(**encoded).last_hidden_state
    if pooling == "cls":
        embeddings = hidden[:, 0, :]
    elif pooling == "mean":
        expanded = mask.unsqueeze(-1).expand(hidden.size()).float()
        embeddings = torch.sum(hidden * expanded, 1) / torch.clamp(expanded.sum(1), min=1e-9)
    else:
        embeddings = hidden[torch.arange(len(hidden)), mask.sum(dim=1) - 1]
    return (torch.nn.functional.normalize(embeddings, p=2, dim=1) if normalize else embeddings).numpy()


@pytest.mark.parametrize("pooling", ["cls", "mean", "last"])
@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("normalize", [False, True])
def test_article_vectors_are_those_of_the_published_procedure(
    tiny_encoder: Path, pooling: Pooling, pair: bool, normalize: bool
) -> None:
    encoder = article_tower(tiny.spec(tiny_encoder, pooling, normalize=normalize, pair=pair))
    vectors = encoder.vectors(encoder.tokens(tiny.TEXTS))
    expected = published(tiny_encoder, pooling, normalize=normalize, pair=pair)
    np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-5)
    assert np.abs(vectors - vectors[0]).max(axis=1)[1:].min() > 0.01  # the texts do differ


words = st.lists(st.sampled_from(tiny.WORDS), max_size=30).map(" ".join)


@examples(8, whole=25)
@given(texts=st.lists(st.builds(ArticleText, words, words), min_size=1, max_size=12))
def test_a_tiny_models_vectors_do_not_depend_on_the_batch(tiny_torch: ArticleTower, texts: list[ArticleText]) -> None:
    tokens = tiny_torch.tokens(texts)
    alone = np.concatenate([tiny_torch.vectors([t]) for t in tokens])
    np.testing.assert_allclose(tiny_torch.vectors(tokens), alone, rtol=0, atol=1e-5)


def test_minilms_vectors_do_not_depend_on_the_batch(minilm_torch: ArticleTower) -> None:
    tokens = minilm_torch.tokens([ArticleText(title, "") for title in TITLES])
    alone = np.concatenate([minilm_torch.vectors([t]) for t in tokens])
    np.testing.assert_allclose(minilm_torch.vectors(tokens), alone, rtol=0, atol=1e-5)


def test_minilms_vectors_by_openvino_in_its_own_precision_hardly_depend_on_the_batch(
    minilm_openvino: ArticleTower,
) -> None:
    tokens = minilm_openvino.tokens([ArticleText(title, "") for title in TITLES])
    alone = np.concatenate([minilm_openvino.vectors([t]) for t in tokens])
    cosines = (minilm_openvino.vectors(tokens) * alone).sum(axis=1)
    assert cosines.min() >= 0.9999


def test_engines_agree_on_minilm(minilm_torch: ArticleTower, minilm_openvino: ArticleTower) -> None:
    """OpenVINO in bfloat16, where the processor has it, against torch in float32."""
    one, two = (e.vectors(e.tokens([ArticleText(t, "") for t in TITLES])) for e in (minilm_torch, minilm_openvino))
    assert (one * two).sum(axis=1).min() >= 0.999


def test_minilm_finds_the_likest_text(minilm_torch: ArticleTower) -> None:
    texts = ["muscle ache caused by simvastatin", "pollen allergy", "Statins and muscle pain"]
    pain, pollen, query = minilm_torch.vectors(minilm_torch.tokens([ArticleText(text, "") for text in texts]))
    assert query @ pain > 0.5 > query @ pollen


def test_token_vectors_are_units_one_per_token_whatever_the_batch(tiny_torch: ArticleTower) -> None:
    tokens = tiny_torch.tokens(tiny.TEXTS)
    together = tiny_torch.token_vectors(tokens)
    for text, vectors in zip(tokens, together, strict=True):
        assert vectors.shape == (len(text.ids), tiny.DIMENSION)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(vectors, tiny_torch.token_vectors([text])[0], rtol=0, atol=1e-5)


def test_no_texts_have_no_vectors(tiny_torch: ArticleTower) -> None:
    assert tiny_torch.vectors([]).shape == (0, tiny.DIMENSION)
    assert tiny_torch.token_vectors([]) == []


def query_tower(folder: Path, template: str = "{text}", task: str | None = None) -> QueryTower:
    spec = tiny.spec(folder)
    query = spec.query.model_copy(update={"template": template, "task": task})
    return QueryTower(tiny.config(spec.model_copy(update={"query": query}), TORCH), 1)


def test_a_query_is_laid_out_by_its_template(tiny_encoder: Path) -> None:
    prompted, plain = query_tower(tiny_encoder, "trial of {text}"), query_tower(tiny_encoder)
    expected = plain.vectors(plain.tokens([Query("trial of asthma")]))
    assert np.array_equal(prompted.vectors(prompted.tokens([Query("asthma")])), expected)


def test_a_query_has_the_towers_task_unless_it_brings_its_own(tiny_encoder: Path) -> None:
    plain, tasked = query_tower(tiny_encoder), query_tower(tiny_encoder, "{task} of {text}", "trial")
    expected = plain.vectors(plain.tokens([Query("trial of asthma"), Query("fever of asthma")]))
    found = tasked.vectors(tasked.tokens([Query("asthma"), Query("asthma", "fever")]))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert np.abs(expected[0] - expected[1]).max() > 0.01


ENGINE = EngineConfig(kind="torch", precision="float32")
QUERIES = [Query("asthma"), Query("statin muscle pain in mice")]
ARTICLES = [ArticleText("asthma", "in mice"), ArticleText("", "statin")]


def test_each_text_goes_through_its_own_tower_and_keeps_its_place(tiny_encoder: Path) -> None:
    config = tiny.config(tiny.spec(tiny_encoder), ENGINE)
    query, article = QueryTower(config, 1), ArticleTower(config, 1)
    loaded = []

    def load() -> ArticleTower:
        loaded.append(article)
        return article

    towers = TextEncoder(query, load)
    found = asyncio.run(towers.encode([*QUERIES]))
    assert not loaded
    expected = query.vectors(query.tokens(QUERIES))
    np.testing.assert_allclose(np.stack(found), expected, rtol=0, atol=1e-6)
    mixed = asyncio.run(towers.encode([ARTICLES[0], QUERIES[0], ARTICLES[1], QUERIES[1]]))
    np.testing.assert_allclose(np.stack(mixed[1::2]), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.stack(mixed[::2]), article.vectors(article.tokens(ARTICLES)), rtol=0, atol=1e-5)
    assert len(loaded) == 1
    counts = asyncio.run(towers.count_tokens([ARTICLES[0], QUERIES[0]]))
    assert counts == [len(article.tokens(ARTICLES)[0].ids), len(query.tokens(QUERIES)[0].ids)]


def test_without_the_article_tower_queries_are_encoded_and_only_the_log_says_where_it_was_looked_for(
    tiny_encoder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec, gone = tiny.spec(tiny_encoder), str(tiny_encoder / "gone")
    missing = spec.model_copy(update={"article": spec.article.model_copy(update={"model": gone})})
    towers = TextEncoder(
        QueryTower(tiny.config(spec, ENGINE), 1), lambda: ArticleTower(tiny.config(missing, ENGINE), 1)
    )
    for method in (towers.encode, towers.count_tokens):
        with pytest.raises(UnavailableError, match=r"^the article tower cannot be loaded; the service's log says why$"):
            asyncio.run(method([*ARTICLES]))
    assert gone in caplog.text
    assert len(asyncio.run(towers.encode([*QUERIES]))) == len(QUERIES)
