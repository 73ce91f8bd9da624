"""The search service: requests to ranked hits, over the seams of `schemas.protocols`."""

import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from actors.search.served_versions import ServedVersions
from actors.service.hits import article_response, hits
from actors.service.meter import Meter
from actors.service.model_service import ModelService
from actors.service.second_stage import Reranking, SecondStage
from schemas.errors import InputError, UnknownError
from schemas.manifest import IndexVersion
from schemas.protocols import ArticleKey, Encoder, Lookup, Query, RerankScore, Scoring, Searcher, StoredArticle
from schemas.search import (
    ArticleResponse,
    HitsRequest,
    Readiness,
    SearchRequest,
    SearchResponse,
    VersionInfo,
)
from schemas.stored_vectors import VectorsRequest, VectorsResponse

SILENT = Meter()
MAX_HITS = 100
"""Of a request whose answers are kept: some 300 kB."""


class SearchService:
    """Answers requests; the same object in one process and behind Ray Serve.

    ServiceError: a part does not answer. UnknownError: there is no article of an id. InputError: a filter names a term
    that no article has.
    """

    def __init__(
        self,
        versions: ServedVersions,
        encoder: Encoder,
        searcher: Searcher,
        ranking: Reranking | None,
        *,
        cached: int = 0,
        meter: Meter = SILENT,
    ) -> None:
        """Join the parts; the answers to the latest `cached` requests are kept."""
        self._versions, self._encoder, self._searcher = versions, encoder, searcher
        self._second_stage = SecondStage(ranking) if ranking else None
        self._cache, self._meter = AnswerCache(cached), meter
        self.models = ModelService(versions, encoder, ranking)

    def version(self) -> VersionInfo:
        version = self._versions.answering
        return VersionInfo(
            version=version.id,
            created=version.created,
            articles=version.articles,
            snapshot=version.snapshot,
            encoder=version.encoder.name,
            reranker=self._second_stage.ranking.name if self._second_stage else "none",
            recall_at_10=version.checks.recall.at_10,
        )

    async def ready(self) -> Readiness:
        """Ask the searcher, which tells too whether it has a newer version."""
        await self._versions.answer(lambda version: self._searcher.stored([ArticleKey("0", version.id)]))
        return self._versions.readiness()

    async def search(self, request: SearchRequest) -> list[SearchResponse]:
        """Answer each query of a request: the best `candidates` in the re-ranker's order, then the rest as retrieved.

        Raises:
            InputError: it brings a task, and the encoder takes none.
            ServiceError: the re-ranker does not answer, and may not be done without.
        """
        return await self._versions.answer(lambda version: self._cached(request, version))

    async def article(self, id_: str, *, vector: bool = False) -> ArticleResponse:
        return await self._versions.answer(lambda version: self._article(id_, version, vector))

    async def vectors(self, request: VectorsRequest) -> VectorsResponse:
        """Return the stored vectors of articles, in their order."""
        return await self._versions.answer(lambda version: self._vectors(request.ids, version))

    async def similar(self, id_: str, request: HitsRequest) -> SearchResponse:
        """Return the articles whose vectors are nearest to that of an article, without itself."""
        return await self._versions.answer(lambda version: self._similar(id_, request, version))

    async def _cached(self, request: SearchRequest, version: IndexVersion) -> list[SearchResponse]:
        clock = _Clock(self._meter)
        with clock("cache"):
            kept = self._cache.find(version.id, request)
        if kept:
            self._report(kept, request, cached=True)
            return [answer.model_copy(update={"milliseconds": clock.milliseconds}) for answer in kept]
        answers = await self._search(request, version)
        self._cache.keep(version.id, request, tuple(answers))
        self._report(answers, request, cached=False)
        return answers

    def _report(self, answers: Sequence[SearchResponse], request: SearchRequest, *, cached: bool) -> None:
        stage = self._second_stage
        candidates = (request.candidates or stage.ranking.candidates) if stage else 0
        for answer in answers:
            seen = candidates if answer.reranked and not cached else 0
            self._meter.answered(answer.version, cached=cached, degraded=bool(answer.degraded), candidates=seen)

    async def _search(self, request: SearchRequest, version: IndexVersion) -> list[SearchResponse]:
        clock = _Clock(self._meter)
        if request.task is not None and version.encoder.query.task is None:
            raise InputError(f"task {request.task!r}: {version.encoder.name} takes no task; leave it out")
        queries = [Query(text, request.task) for text in request.queries]
        stage = self._second_stage if request.rerank else None
        candidates = (request.candidates or stage.ranking.candidates) if stage else 0
        with clock("encode"):
            vectors = await self._encoder.encode([*queries])
        depth = max(request.depth, candidates)
        lookups = [
            Lookup(vector, depth, request.wanted, query.text if request.direct else "", version.id)
            for vector, query in zip(vectors, queries, strict=True)
        ]
        with clock("search"):
            found = await self._searcher.search(lookups)
        scores: list[list[RerankScore] | None] = [None] * len(queries)
        degraded = None
        if stage:
            scorings = [Scoring(query, matches[:candidates]) for query, matches in zip(queries, found, strict=True)]
            with clock("rerank"):
                scores, degraded = await stage.scores(scorings)
        kind = stage.ranking.score_kind if stage else None
        return [
            SearchResponse(
                query=query.text,
                version=version.id,
                hits=hits(matches, of_query, query.text, request, kind, version.encoder),
                reranked=bool(stage and not degraded),
                degraded=degraded,
                milliseconds=clock.milliseconds,
            )
            for query, matches, of_query in zip(queries, found, scores, strict=True)
        ]

    async def _article(self, id_: str, version: IndexVersion, vector: bool) -> ArticleResponse:
        return article_response(await self._stored(id_, version), version.id, vector=vector)

    async def _vectors(self, ids: Sequence[str], version: IndexVersion) -> VectorsResponse:
        found = await self._searcher.stored([ArticleKey(id_, version.id) for id_ in ids])
        return VectorsResponse(
            version=version.id,
            encoder=version.encoder.name,
            dimension=version.encoder.dimension,
            vectors=tuple(one and tuple(one.vector.tolist()) for one in found),
        )

    async def _similar(self, id_: str, request: HitsRequest, version: IndexVersion) -> SearchResponse:
        clock = _Clock(self._meter)
        with clock("search"):
            stored = await self._stored(id_, version)
            [found] = await self._searcher.search(
                [Lookup(stored.vector, request.depth + 1, request.wanted, "", version.id)]
            )
        others = [match for match in found if match.article.pmid != stored.article.pmid]
        return SearchResponse(
            query=stored.article.title,
            version=version.id,
            hits=hits(others, None, stored.article.title, request, None, version.encoder),
            reranked=False,
            degraded=None,
            milliseconds=clock.milliseconds,
        )

    async def _stored(self, id_: str, version: IndexVersion) -> StoredArticle:
        [stored] = await self._searcher.stored([ArticleKey(id_, version.id)])
        if stored is None:
            raise UnknownError(f"article {id_[:50]!r}: version {version.id} has none of this id")
        return stored


class _Clock:
    """Keeps the time of named stages, and reports it."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        self._meter.stage(stage, seconds)
        self.milliseconds[stage] = round(seconds * 1000, 2)


class AnswerCache:
    """Keeps the answers used last; those of a version that is served no more fall out by themselves."""

    def __init__(self, entries: int) -> None:
        """Keep so many requests; ten hits with their abstracts take some 30 kB."""
        self._entries = entries
        self._kept: OrderedDict[tuple[str, SearchRequest], tuple[SearchResponse, ...]] = OrderedDict()

    def find(self, version: str, request: SearchRequest) -> tuple[SearchResponse, ...] | None:
        if answers := self._kept.get((version, request)):
            self._kept.move_to_end((version, request))
        return answers

    def keep(self, version: str, request: SearchRequest, answers: tuple[SearchResponse, ...]) -> None:
        """Keep answers, unless they are many or lack their second stage; the one used longest ago makes room."""
        if sum(len(answer.hits) for answer in answers) > MAX_HITS or any(answer.degraded for answer in answers):
            return
        self._kept[version, request] = answers
        self._kept.move_to_end((version, request))
        while len(self._kept) > self._entries:
            self._kept.popitem(last=False)
