"""The shipped encoder specs give the vectors of the published procedures, on models of the published architectures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from actors.embed.towers import ArticleTower, QueryTower
from actors.search.rerankers import CrossEncoderReranker
from jobs.common.config import ROOT, load_config
from retrieval.embed.pooling import pool
from schemas.article import DisplayArticle
from schemas.config import EngineConfig
from schemas.encoder import EncoderSpec
from schemas.protocols import Match, Query, Scoring
from tests.support.models import authors_procedures, tiny
from tests.support.models.authors_procedures import Floats
from tests.support.models.backbones import ARTICLES, CAUSAL, DIMENSION, QUERIES, bert, causal

TORCH, OPENVINO = (EngineConfig.model_validate({"kind": k, "precision": "float32"}) for k in ("torch", "openvino"))
# OpenVINO takes seconds to trace a model, and tests/unit/actors/engine/ has it equal torch.
ENGINES = pytest.mark.parametrize(
    ("engine", "tolerance"),
    [(TORCH, 1e-5), pytest.param(OPENVINO, 1e-4, marks=pytest.mark.whole)],
    ids=["torch", "openvino"],
)
KINDS = pytest.mark.parametrize("kind", CAUSAL)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all models, each in a folder of its name."""
    folder = tmp_path_factory.mktemp("backbones")
    bert(folder / "query", seed=0)
    bert(folder / "article", seed=1)
    bert(folder / "cross", seed=2, labels=1)
    for kind in CAUSAL:
        causal(folder / kind, kind)
    return folder


def shipped(config: str, query: Path, article: Path) -> EncoderSpec:
    """Return the spec of a shipped configuration, with other weights."""
    spec = load_config(str(ROOT / "infra" / "config" / config), [], {}).encoder
    towers = {
        "query": spec.query.model_copy(update={"model": str(query), "revision": None}),
        "article": spec.article.model_copy(update={"model": str(article), "revision": None}),
    }
    return spec.model_copy(update=towers | {"dimension": DIMENSION})


def medcpt(models: Path) -> EncoderSpec:
    return shipped("medcpt.toml", models / "query", models / "article")


def bmretriever(models: Path, kind: str) -> EncoderSpec:
    sizes = {"gpt-neox": "410m", "gemma": "2b", "mistral": "7b"}
    return shipped(f"bmretriever-{sizes[kind]}.toml", models / kind, models / kind)


def article_vectors(spec: EncoderSpec, engine: EngineConfig, cache: Path) -> Floats:
    return ArticleTower(tiny.config(spec, engine, cache), 1).encode(ARTICLES)


def query_vectors(spec: EncoderSpec, engine: EngineConfig, cache: Path, task: str | None = None) -> Floats:
    return QueryTower(tiny.config(spec, engine, cache), 1).encode([Query(query, task) for query in QUERIES])


def assert_same(vectors: Floats, expected: Floats, tolerance: float) -> None:
    np.testing.assert_allclose(vectors, expected, rtol=0, atol=tolerance)
    distances = np.abs(vectors[:, None] - vectors[None]).max(axis=2) + np.eye(len(vectors))
    assert distances.min() > 100 * tolerance  # the texts do differ


@ENGINES
def test_medcpts_articles_are_those_of_its_readme(engine: EngineConfig, tolerance: float, models: Path) -> None:
    vectors = article_vectors(medcpt(models), engine, models)
    assert_same(vectors, authors_procedures.medcpt_articles(models / "article", ARTICLES), tolerance)


@ENGINES
def test_medcpts_queries_are_those_of_its_readme(engine: EngineConfig, tolerance: float, models: Path) -> None:
    vectors = query_vectors(medcpt(models), engine, models)
    assert_same(vectors, authors_procedures.medcpt_queries(models / "query", QUERIES), tolerance)


@ENGINES
def test_medcpts_cross_encoder_scores_as_in_its_readme(engine: EngineConfig, tolerance: float, models: Path) -> None:
    reranker = CrossEncoderReranker(models / "cross", 512, engine, threads=1, cache=models)
    matches = [Match(0, DisplayArticle(i, None, *article)) for i, article in enumerate(ARTICLES)]
    for query in QUERIES:
        [scores] = reranker.scores([Scoring(Query(query), matches)])
        texts = [" ".join(article).strip() for article in ARTICLES]
        expected = authors_procedures.medcpt_logits(models / "cross", query, texts)
        np.testing.assert_allclose([score.final for score in scores], expected, rtol=0, atol=tolerance)


@ENGINES
@KINDS
def test_bmretrievers_articles_are_those_of_its_eval(
    kind: str, engine: EngineConfig, tolerance: float, models: Path
) -> None:
    vectors = article_vectors(bmretriever(models, kind), engine, models)
    assert_same(vectors, authors_procedures.bmretriever_articles(models / kind, ARTICLES), tolerance)


@ENGINES
@KINDS
@pytest.mark.parametrize(
    "task", [None, "Given a scientific claim, retrieve documents that support or refute the claim"]
)
def test_bmretrievers_queries_are_those_of_its_eval(
    task: str | None, kind: str, engine: EngineConfig, tolerance: float, models: Path
) -> None:
    vectors = query_vectors(bmretriever(models, kind), engine, models, task)
    wanted = task or "Given a question, retrieve relevant documents that best answer the question"
    assert_same(vectors, authors_procedures.bmretriever_queries(models / kind, wanted, QUERIES), tolerance)


@KINDS
def test_bmretriever_padded_on_the_right_has_the_same_vectors(kind: str, models: Path) -> None:
    vectors = article_vectors(bmretriever(models, kind), TORCH, models)
    assert_same(vectors, authors_procedures.bmretriever_articles(models / kind, ARTICLES, side="right"), 1e-5)


@pytest.mark.parametrize("kind", ["medcpt", *CAUSAL])
def test_a_vector_does_not_depend_on_the_batch(kind: str, models: Path) -> None:
    spec = medcpt(models) if kind == "medcpt" else bmretriever(models, kind)
    tower = ArticleTower(tiny.config(spec, TORCH, models), 1)
    tokens = tower.tokens(ARTICLES)
    alone = np.concatenate([tower.vectors([text]) for text in tokens])
    np.testing.assert_allclose(tower.vectors(tokens), alone, rtol=0, atol=1e-5)
    np.testing.assert_allclose(tower.vectors(tokens[::-1] + tokens)[: len(tokens)], alone[::-1], rtol=0, atol=1e-5)
    small = ArticleTower(tiny.config(spec, TORCH.model_copy(update={"batch_tokens": 64}), models), 1)
    np.testing.assert_allclose(small.vectors(tokens), alone, rtol=0, atol=1e-5)


@KINDS
def test_the_last_tokens_vector_is_the_same_whichever_side_is_padded(kind: str, models: Path) -> None:
    model = AutoModel.from_pretrained(models / kind)
    texts = ([5, 9, 7, 8, 6, 1], [9, 1], [7, 8, 1])
    left, right = (
        torch.tensor(
            [[0] * (6 - len(text)) + text if side == "left" else text + [0] * (6 - len(text)) for text in texts]
        )
        for side in ("left", "right")
    )
    with torch.no_grad():
        vectors = [
            pool(model(input_ids=ids, attention_mask=(ids > 0).long()).last_hidden_state, (ids > 0).long(), "last")
            for ids in (left, right)
        ]
    torch.testing.assert_close(*vectors, rtol=0, atol=1e-5)
