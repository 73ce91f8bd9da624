"""The second stage of a search: a re-ranker, how it is used, and what happens while it fails."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from schemas.errors import ServiceError
from schemas.protocols import Reranker, RerankScore, Scoring
from schemas.search import ScoreKind


class Ranking(NamedTuple):
    """The second stage."""

    reranker: Reranker
    name: str
    score_kind: ScoreKind
    candidates: int
    """How many articles it sees unless a request says otherwise."""
    seconds: float | None
    """How long it may take, None: any time. Hits are returned as retrieved if it takes longer or does not answer."""


class SecondStage:
    """Asks the re-ranker. While that fails, one request at a time tries it, and the others do not wait for it."""

    def __init__(self, ranking: Ranking) -> None:
        """Begin with trust."""
        self._ranking = ranking
        self._problem: str | None = None
        self._tried = False

    async def scores(self, scorings: Sequence[Scoring]) -> tuple[list[list[RerankScore] | None], str | None]:
        """Return the scores of each query's passages; where they cannot be had, None for each, and why."""
        none: list[list[RerankScore] | None] = [None] * len(scorings)
        if self._problem and self._tried:
            return none, self._problem
        self._tried = True
        try:
            found = await asyncio.wait_for(self._ranking.reranker.score([*scorings]), self._ranking.seconds)
        except TimeoutError:
            self._problem = f"the re-ranker took more than {self._ranking.seconds:g} s"
        except ServiceError as error:
            self._problem = str(error)
        else:
            self._problem = None
            return [*found], None
        finally:
            self._tried = False
        return none, self._problem
