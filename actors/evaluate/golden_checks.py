"""Running the towers and the cross-encoder over golden data. One model is in memory at a time.

InputError: a model cannot be had or read.
"""

from collections.abc import Sequence

from actors.embed.towers import ArticleTower, QueryTower
from actors.engine.cpu_threads import available_threads
from actors.evaluate.authors_encoding import bmretriever_passage, bmretriever_query, bmretriever_vectors
from actors.fetch.stored_models import folder_of
from actors.search.rerankers import load_reranker
from retrieval.evaluate.golden_comparison import compare_ends, compare_numbers, compare_vectors
from schemas.arrays import Floats
from schemas.article import DisplayArticle
from schemas.config import Config
from schemas.encoder import TowerSpec
from schemas.golden import Check, Golden, GoldenText
from schemas.protocols import ArticleText, Match, Query, Scoring


def check_queries(config: Config, golden: Golden) -> list[Check]:
    """Encode the queries and compare."""
    spec = config.encoder.query
    laid_out = [bmretriever_query(q.text, q.task or spec.task or "") for q in golden.query]
    vectors = QueryTower(config, available_threads()).encode([Query(q.text, q.task) for q in golden.query])
    return _compare("query", config, golden, vectors, laid_out)


def check_articles(config: Config, golden: Golden) -> list[Check]:
    """Encode the articles and compare."""
    laid_out = [bmretriever_passage(a.title, a.abstract) for a in golden.article]
    vectors = ArticleTower(config, available_threads()).encode(
        [ArticleText(a.title, a.abstract) for a in golden.article]
    )
    return _compare("article", config, golden, vectors, laid_out)


def check_reranker(config: Config, golden: Golden) -> list[Check]:
    """Score the passages and compare the logits; no checks if there is nothing to compare, or no cross-encoder."""
    if golden.rerank is None or config.rerank.kind != "cross-encoder":
        return []
    reranker, passages = load_reranker(config), golden.rerank.article
    assert reranker is not None  # its kind is cross-encoder
    matches = [Match(0.0, DisplayArticle(0, title=one.title, abstract=one.abstract)) for one in passages]
    [scores] = reranker.scores([Scoring(Query(golden.rerank.query), matches)])
    return [
        compare_numbers(f"logit {number}", (passage.logit,), [score.raw], golden.tolerance)
        for number, (passage, score) in enumerate(zip(passages, scores, strict=True), 1)
    ]


def _compare(kind: str, config: Config, golden: Golden, vectors: Floats, laid_out: list[str]) -> list[Check]:
    """Compare vectors with printed numbers, or with those of the authors' procedure over the texts `laid_out`."""
    tower: TowerSpec = getattr(config.encoder, kind)
    texts: Sequence[GoldenText] = getattr(golden, kind)
    names = [f"{kind} {number}" for number in range(1, len(texts) + 1)]
    if golden.procedure is None:
        rows = zip(names, texts, vectors, strict=True)
        return [compare_ends(name, text, vector, golden.tolerance) for name, text, vector in rows]
    published = bmretriever_vectors(folder_of(tower, config), laid_out)
    return [
        compare_vectors(name, expected, vector, golden.tolerance)
        for name, expected, vector in zip(names, published, vectors, strict=True)
    ]
