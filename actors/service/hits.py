"""Matches and scores to the hits of an answer."""

from collections.abc import Iterable, Sequence
from typing import Any

from retrieval.search.highlight import highlights
from schemas.article import ARTICLE_FIELDS, DisplayArticle
from schemas.encoder import EncoderSpec
from schemas.protocols import Match, RerankScore, StoredArticle
from schemas.search import ArticleField, ArticleResponse, Highlights, Hit, HitsRequest, ScoreKind


def hits(
    matches: Sequence[Match],
    scores: Sequence[RerankScore] | None,
    query: str,
    request: HitsRequest,
    score_kind: ScoreKind | None,
    encoder: EncoderSpec,
) -> tuple[Hit, ...]:
    """Return the hits that a request asks for, of matches as retrieved and the re-ranker's scores of the first of them.

    `score_kind` is the re-ranker's.
    """
    scored = [*zip(matches, scores or [], strict=False)]
    named = [pair for pair in scored if pair[0].named]  # in the order in which the query names them
    others = sorted((pair for pair in scored if not pair[0].named), key=_best_first)
    order: list[tuple[Match, RerankScore | None]] = [*named, *others]
    order += [(match, None) for match in matches[len(scored) :]]
    return tuple(
        Hit(
            rank=rank,
            id=match.article.id,
            named=match.named,
            **_scores(match, score, score_kind, encoder),
            **(_marks(match.article, query) if request.highlight else {}),
            **_shown(match.article, request.fields),
        )
        for rank, (match, score) in enumerate(order[: request.depth], 1)
        if rank > request.offset
    )


def article_response(stored: StoredArticle, version: str, *, vector: bool = False) -> ArticleResponse:
    """Return all that is shown of an article, and perhaps its vector."""
    article, beside = stored.article, {"vector": stored.vector.tolist()} if vector else {}
    return ArticleResponse(id=article.id, version=version, **_shown(article, ARTICLE_FIELDS), **beside)


def _best_first(pair: tuple[Match, RerankScore]) -> tuple[float, int]:
    match, score = pair
    return -score.final, match.article.pmid


def _scores(match: Match, score: RerankScore | None, kind: ScoreKind | None, encoder: EncoderSpec) -> dict[str, Any]:
    own = kind if score and kind else "inner_product"
    return {
        "score": score.final if score else match.score,
        "score_kind": own,
        "comparable": encoder.normalize if own == "inner_product" else own == "logit",
        "retrieval_score": match.score,
        "rerank_score": score.raw if score else None,
    }


def _marks(article: DisplayArticle, query: str) -> dict[str, Any]:
    title, abstract = (highlights(query, text) for text in (article.title, article.abstract))
    return {"highlights": Highlights(title=title, abstract=abstract)}


def _shown(article: DisplayArticle, fields: Iterable[ArticleField]) -> dict[str, Any]:
    return {name: getattr(article, name) for name in fields}
