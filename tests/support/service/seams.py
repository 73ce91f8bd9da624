"""Small implementations, in memory, of the three seams of the service, and the version that they serve."""

import asyncio
from dataclasses import dataclass, field

import numpy as np

from actors.search.served_versions import ServedVersions
from actors.service.search_service import SearchService
from actors.service.second_stage import Reranking
from schemas.arrays import Vector
from schemas.article import DisplayArticle
from schemas.encoder import EncoderSpec, TowerDigests, TowerSpec
from schemas.errors import UnavailableError
from schemas.filters import Wanted
from schemas.manifest import Checks, IndexVersion, Recall
from schemas.protocols import ArticleKey, ArticleText, Lookup, Match, Query, RerankScore, Scoring, StoredArticle

TOWER = TowerSpec(model="tiny", max_length=8)
ARTICLE_TOWER = TOWER.model_copy(update={"pair": True})
VERSION = IndexVersion(
    id="v1",
    created="2026-01-01T00:00:00+00:00",
    parent=None,
    recipe="r1",
    rules="r2",
    snapshot="s1",
    selection="all",
    encoder=EncoderSpec(name="tiny", query=TOWER, article=ARTICLE_TOWER, pooling="cls", normalize=False, dimension=1),
    fingerprint="f1",
    query_tower=TowerDigests(weights="0" * 64, tokenizer="1" * 64),
    quantizer="q1",
    metric="inner_product",
    nprobe=1,
    candidates=200,
    segments=(),
    articles=6,
    checks=Checks(
        recall=Recall(queries=10, at_10=0.97, at_100=0.96), truth="t1", imbalance=1, dead_share=0, removed_share=0
    ),
)


SECONDS = 5.0
"""How long a request may take."""


def joined(shelf: "Shelf", reranker: "Favours | None" = None, candidates: int = 3) -> SearchService:
    """Return the service over these."""
    ranking = Reranking(reranker, "favours", "logit", candidates, SECONDS) if reranker else None
    return SearchService(ServedVersions(VERSION), Lengths(), shelf, ranking)


class Lengths:
    """Encodes a query as its length, task included, and an article as that of its two parts, negative."""

    async def encode(self, texts: list[Query | ArticleText]) -> list[Vector]:
        return [np.array([self._length(text)], np.float32) for text in texts]

    async def count_tokens(self, texts: list[Query | ArticleText]) -> list[int]:
        return [sum(len(part.split()) for part in text if part) for text in texts]

    def _length(self, text: Query | ArticleText) -> int:
        length = sum(len(part or "") for part in text)
        return length if isinstance(text, Query) else -length


@dataclass
class Shelf:
    """Finds all articles, in the order of PMIDs given, each one's score one less than that before it."""

    pmids: list[int]
    doc_ids: dict[int, str] = field(default_factory=dict)
    depths: list[int] = field(default_factory=list)
    """The k of each lookup so far."""
    wanted: list[Wanted] = field(default_factory=list)
    """And of which articles."""

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        self.depths += [lookup.k for lookup in lookups]
        self.wanted += [lookup.wanted for lookup in lookups]
        return [self._matches(lookup) for lookup in lookups]

    async def stored(self, keys: list[ArticleKey]) -> list[StoredArticle | None]:
        known = {self.doc_ids.get(pmid, str(pmid)): pmid for pmid in self.pmids}
        return [self._stored(known[key.id]) if key.id in known else None for key in keys]

    def _stored(self, pmid: int) -> StoredArticle:
        return StoredArticle(np.array([pmid], np.float32), self._article(pmid))

    def _article(self, pmid: int) -> DisplayArticle:
        return DisplayArticle(
            pmid, self.doc_ids.get(pmid), f"Title {pmid}", journal="J", publication_date="2020", year=2020
        )

    def _matches(self, lookup: Lookup) -> list[Match]:
        first = float(lookup.vector[0])
        return [Match(first - i, self._article(pmid)) for i, pmid in enumerate(self.pmids[: lookup.k])]


@dataclass
class Favours:
    """Scores articles by a table; those that are not in it get 0."""

    scores: dict[int, float]
    seen: list[list[int]] = field(default_factory=list)
    """The PMIDs of each scoring so far."""

    async def score(self, scorings: list[Scoring]) -> list[list[RerankScore]]:
        self.seen += [[m.article.pmid for m in s.matches] for s in scorings]
        found = [[self.scores.get(m.article.pmid, 0.0) for m in s.matches] for s in scorings]
        return [[RerankScore(raw=score / 2, final=score) for score in scores] for scores in found]


class Gone:
    """A re-ranker that is not there."""

    async def score(self, scorings: list[Scoring]) -> list[list[RerankScore]]:
        raise UnavailableError("the reranker does not answer; try again")


class Slow:
    """A re-ranker that takes longer than anyone waits."""

    async def score(self, scorings: list[Scoring]) -> list[list[RerankScore]]:
        await asyncio.sleep(60)
        raise AssertionError
