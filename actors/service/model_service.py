"""The encoder and the re-ranker by themselves: texts to vectors, and a query with documents to scores."""

import base64
import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, TypeVar

from actors.search.served_versions import ServedVersions
from actors.service.second_stage import Reranking
from schemas.arrays import Vector
from schemas.article import DisplayArticle
from schemas.compatible import Embedding, EmbeddingsRequest, EmbeddingsResponse, Model, Models, Usage
from schemas.errors import ProtocolError, UnknownError
from schemas.protocols import ArticleText, Encoder, Match, Query, Scoring
from schemas.search import MAX_QUERIES, ScoreKind

T = TypeVar("T")

PASSAGES = 20
"""Documents of one call: as many as a search has by default, so that searches are served in between."""


def article_text(text: str) -> ArticleText:
    """Return the article that a text is: its first line is the title, the rest the abstract."""
    title, _, abstract = text.partition("\n")
    return ArticleText(title.strip(), abstract.strip())


TOWERS: dict[str, Callable[[str], Query | ArticleText]] = {"query": Query, "article": article_text}


class Score(NamedTuple):
    """A document's place in the request, from 0, and its score."""

    place: int
    raw: float
    """The re-ranker's own score."""
    relevance: float
    """The same from 0 to 1."""


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

    async def embed(self, request: EmbeddingsRequest) -> EmbeddingsResponse:
        """Return a vector per text; ProtocolError: there is no such model, or its vectors have other dimensions."""
        spec = self._versions.answering.encoder
        name, _, tower = request.model.rpartition(":")
        if name != spec.name or tower not in TOWERS:
            raise ProtocolError(self._known_instead(request.model))
        if request.dimensions not in (None, spec.dimension):
            raise ProtocolError(f"dimensions {request.dimensions}: vectors have {spec.dimension}; leave it out")
        vectors: list[Vector] = []
        tokens = 0
        for texts in _slices([TOWERS[tower](text) for text in request.input], MAX_QUERIES):
            vectors += await self._encoder.encode(texts)
            tokens += sum(await self._encoder.count_tokens(texts))
        encoding, usage = request.encoding_format, Usage(prompt_tokens=tokens, total_tokens=tokens)
        data = tuple(Embedding(index=i, embedding=_written(vector, encoding)) for i, vector in enumerate(vectors))
        return EmbeddingsResponse(data=data, model=request.model, usage=usage)

    async def rerank(self, query: str, documents: Sequence[str]) -> list[Score]:
        """Return the documents' scores, best first, equal ones in the documents' order."""
        ranking = self._second_stage()
        matches = [Match(0.0, DisplayArticle(i, None, *article_text(text))) for i, text in enumerate(documents)]
        scorings = [Scoring(Query(query), some) for some in _slices(matches, PASSAGES)]
        found = [score.raw for scores in await ranking.reranker.score(scorings) for score in scores]
        scores = [Score(i, raw, relevance(raw, ranking.score_kind)) for i, raw in enumerate(found)]
        return sorted(scores, key=lambda score: (-score.raw, score.place))

    def reranker(self, asked: str | None = None) -> str:
        """Return the re-ranker's name; ProtocolError: it is not the one asked for."""
        name = self._second_stage().name
        if asked not in (None, name):
            raise ProtocolError(f"model {asked[:100]!r}: there is {name!r}; give that, or leave it out")
        return name

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


def _written(vector: Vector, encoding: Literal["float", "base64"]) -> tuple[float, ...] | str:
    return tuple(vector.tolist()) if encoding == "float" else base64.b64encode(vector.astype("<f4").tobytes()).decode()
