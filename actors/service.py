"""The search service: query to ranked hits, over the three seams of `schemas.protocols`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import InputError
from schemas.manifest import IndexVersion
from schemas.protocols import Lookup, Match, Query, QueryEncoder, Reranker, RerankScore, Scoring, Searcher
from schemas.search import Hit, SearchRequest, SearchResponse, VersionInfo


class SearchService:
    """Answers requests from one index version; the same object in one process and behind Ray Serve."""

    def __init__(
        self,
        version: IndexVersion,
        encoder: QueryEncoder,
        searcher: Searcher,
        reranker: Reranker | None,
        *,
        reranker_name: str,
        score_kind: str,
        candidates: int,
    ) -> None:
        """`candidates` is how many articles the re-ranker sees unless a request says otherwise."""
        self._version, self._encoder, self._searcher, self._reranker = version, encoder, searcher, reranker
        self._reranker_name, self._score_kind, self._candidates = reranker_name, score_kind, candidates

    def version(self) -> VersionInfo:
        """Return what is being served."""
        return VersionInfo(
            version=self._version.id,
            created=self._version.created,
            articles=self._version.articles,
            snapshot=self._version.snapshot,
            encoder=self._version.encoder.name,
            reranker=self._reranker_name,
            recall_at_10=self._version.checks.recall.at_10,
        )

    async def search(self, request: SearchRequest) -> SearchResponse:
        """Answer one request: the best `candidates` in the re-ranker's order, then the rest as retrieved.

        Raises:
            InputError: it brings a task, and the encoder takes none; a filter names a term that no article has.
        """
        clock = _Clock()
        query = Query(request.query, request.task)
        if query.task is not None and self._version.encoder.query.task is None:
            raise InputError(f"task {query.task!r}: {self._version.encoder.name} takes no task; leave it out")
        reranker = self._reranker if request.rerank else None
        depth = max(request.k, (request.candidates or self._candidates) if reranker else 0)
        with clock("encode"):
            [vector] = await self._encoder.encode([query])
        with clock("search"):
            [matches] = await self._searcher.search([Lookup(vector, depth, request.wanted)])
        ranked: list[tuple[Match, RerankScore | None]] = [(m, None) for m in matches]
        if reranker:
            head = matches[: request.candidates or self._candidates]
            with clock("rerank"):
                [scores] = await reranker.score([Scoring(query, head)])
            best = sorted(zip(head, scores, strict=True), key=lambda ms: (-ms[1].final, ms[0].article.pmid))
            ranked = [*best, *ranked[len(head) :]]
        return SearchResponse(
            query=request.query,
            version=self._version.id,
            score_kind=self._score_kind if reranker else "inner_product",
            hits=[_hit(rank, *pair) for rank, pair in enumerate(ranked[: request.k], 1)],
            milliseconds=clock.milliseconds,
        )


def _hit(rank: int, match: Match, score: RerankScore | None) -> Hit:
    article = match.article
    return Hit(
        rank=rank,
        id=article.id,
        score=score.final if score else match.score,
        retrieval_score=match.score,
        rerank_score=score.raw if score else None,
        title=article.title,
        abstract=article.abstract,
        journal=article.journal,
        year=article.year,
        publication_date=article.publication_date,
        doi=article.doi,
    )


class _Clock:
    """Adds up the time of named stages."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.milliseconds[stage] = round((time.perf_counter() - start) * 1000, 2)
