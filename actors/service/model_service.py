"""The encoder and the re-ranker by themselves: texts to vectors, and a query with documents to scores."""

import asyncio
import base64
import math
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple, TypeVar

from actors.search.served_versions import ServedVersions
from actors.service.second_stage import Reranking
from schemas.arrays import Vector
from schemas.article import DisplayArticle
from schemas.compatible_texts import MAX_INPUTS, Usage
from schemas.compatible_vectors import (
    Embedding,
    EmbeddingsRequest,
    EmbeddingsResponse,
    Model,
    Models,
    Purpose,
    TeiInfo,
    TeiModelType,
    Tower,
    tower_for,
)
from schemas.errors import ProtocolError, UnknownError
from schemas.protocols import ArticleText, Encoder, Match, Query, Scoring
from schemas.search import MAX_QUERIES, ScoreKind

T = TypeVar("T")

UNNAMED = (None, "default/not-specified")
"""What clients send for `model` where they name none: infinity's the text."""
PASSAGES = 20
"""Documents of one call: as many as a search has by default, so that searches are served in between."""


def article_text(text: str) -> ArticleText:
    """Return the article that a text is: its first line is the title, the rest the abstract."""
    title, _, abstract = text.partition("\n")
    return ArticleText(title.strip(), abstract.strip())


TOWERS: dict[Tower, Callable[[str], Query | ArticleText]] = {"query": Query, "article": article_text}


class Encoded(NamedTuple):
    """Vectors (dimension,), one per text."""

    model: str
    """With the tower that made them."""
    vectors: list[Vector]
    tokens: int


class Score(NamedTuple):
    """A document's place in the request, from 0, and its score."""

    place: int
    raw: float
    """The re-ranker's own score."""
    relevance: float
    """The same from 0 to 1."""


class Scored(NamedTuple):
    """The scores of documents; the tokens of these and their queries, as the encoder's towers count them."""

    scores: list[Score]
    tokens: int

    @property
    def usage(self) -> Usage:
        return Usage(prompt_tokens=self.tokens, total_tokens=self.tokens)


class ModelService:
    """Answers what needs no index, over the seams of `schemas.protocols`.

    ServiceError: the encoder or the re-ranker does not answer. UnknownError: there is no re-ranker.
    """

    def __init__(self, versions: ServedVersions, encoder: Encoder, ranking: Reranking | None) -> None:
        self._versions, self._encoder, self._ranking = versions, encoder, ranking

    def models(self) -> Models:
        """Return the two towers."""
        version = self._versions.answering
        created = int(datetime.fromisoformat(version.created).timestamp())
        return Models(data=tuple(Model(id=f"{version.encoder.name}:{tower}", created=created) for tower in TOWERS))

    def model(self, name: str) -> Model:
        """Return one tower; UnknownError names those that there are."""
        for model in self.models().data:
            if model.id == name:
                return model
        raise UnknownError(self._known_instead(name))

    def info(self) -> TeiInfo:
        """Say which encoder answers, as text-embeddings-inference does."""
        version = self._versions.answering
        spec = version.encoder
        return TeiInfo(
            model_id=spec.name,
            model_type=TeiModelType(embedding=TeiModelType.Embedding(pooling=spec.pooling)),
            max_input_length=spec.query.max_length,
            max_client_batch_size=MAX_INPUTS,
            version=version.id,
        )

    async def embed(self, request: EmbeddingsRequest) -> EmbeddingsResponse:
        """Return a vector per text; errors as of `encode`."""
        model, vectors, tokens = await self.encode(request.input, request.model, request.task, request.dimensions)
        write = as_base64 if request.encoding_format == "base64" else as_floats
        data = tuple(Embedding(index=i, embedding=write(vector)) for i, vector in enumerate(vectors))
        return EmbeddingsResponse(data=data, model=model, usage=Usage(prompt_tokens=tokens, total_tokens=tokens))

    async def encode(
        self, texts: Sequence[str], model: str | None, purpose: Purpose | None, dimensions: int | None
    ) -> Encoded:
        """Return a vector per text, of the tower that the model names, else of that for the purpose.

        Raises:
            ProtocolError: there is no such model, or its vectors have other dimensions.
        """
        spec = self._versions.answering.encoder
        tower = self._tower(model, purpose)
        if dimensions not in (None, spec.dimension):
            raise ProtocolError(f"dimensions {dimensions}: vectors have {spec.dimension}; leave it out")
        read = [TOWERS[tower](text) for text in texts]
        vectors = [vector for some in _slices(read, MAX_QUERIES) for vector in await self._encoder.encode(some)]
        return Encoded(f"{spec.name}:{tower}", vectors, await self._count(read))

    async def rerank(self, query: str, documents: Sequence[str]) -> Scored:
        """Return the documents' scores, best first, equal ones in the documents' order."""
        scored = await self.score([(query, document) for document in documents])
        return scored._replace(scores=sorted(scored.scores, key=lambda score: (-score.raw, score.place)))

    async def score(self, pairs: Sequence[tuple[str, str]]) -> Scored:
        """Return the score of each document for its query, in their order."""
        ranking = self._second_stage()
        articles = [article_text(document) for _, document in pairs]
        scorings = []
        for query, places in groupby(range(len(pairs)), lambda place: pairs[place][0]):
            matches = [Match(0.0, DisplayArticle(place, None, *articles[place])) for place in places]
            scorings += [Scoring(Query(query), some) for some in _slices(matches, PASSAGES)]
        queries = [Query(query) for query in dict.fromkeys(query for query, _ in pairs)]
        found, tokens = await asyncio.gather(ranking.reranker.score(scorings), self._count([*queries, *articles]))
        raws = [score.raw for scores in found for score in scores]
        return Scored([Score(i, raw, relevance(raw, ranking.score_kind)) for i, raw in enumerate(raws)], tokens)

    def reranker(self, asked: str | None = None) -> str:
        """Return the re-ranker's name; ProtocolError: it is not the one asked for."""
        name = self._second_stage().name
        if asked not in (*UNNAMED, name):
            raise ProtocolError(f"model {asked[:100]!r}: there is {name!r}; give that, or leave it out")
        return name

    def _tower(self, model: str | None, purpose: Purpose | None) -> Tower:
        name = self._versions.answering.encoder.name
        if model in (*UNNAMED, name):
            return tower_for(purpose)
        for tower in TOWERS:
            if model == f"{name}:{tower}":
                return tower
        raise ProtocolError(self._known_instead(model))

    async def _count(self, texts: Sequence[Query | ArticleText]) -> int:
        return sum([sum(await self._encoder.count_tokens(some)) for some in _slices(texts, MAX_QUERIES)])

    def _known_instead(self, name: str) -> str:
        return f"model {name[:100]!r}: there are {' and '.join(repr(model.id) for model in self.models().data)}"

    def _second_stage(self) -> Reranking:
        if self._ranking is None:
            raise UnknownError("no re-ranker is configured here (rerank.kind = 'none')")
        return self._ranking


def relevance(raw: float, kind: ScoreKind) -> float:
    """Return a re-ranker's own score on a scale from 0 to 1: of a logit the sigmoid, of a mean cosine (1 + cosine) / 2.

    The order stays. Neither is a probability that was calibrated.
    """
    if kind == "logit":
        small = math.exp(-abs(raw))
        return (1 if raw > 0 else small) / (1 + small)
    return min(max((1 + raw) / 2, 0.0), 1.0)


def _slices(items: Sequence[T], most: int) -> list[list[T]]:
    """Return items in lists of so many: sent all at once, they would leave searches no place in the queues."""
    return [[*items[start : start + most]] for start in range(0, len(items), most)]


def as_floats(vector: Vector) -> tuple[float, ...]:
    """Return the numbers of a vector (dimension,)."""
    return tuple(vector.tolist())


def as_base64(vector: Vector) -> str:
    """Return base64 of the little-endian float32 of a vector (dimension,)."""
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()
