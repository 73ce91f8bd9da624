"""The second stage of a search: a re-ranker, how it is used, and what happens while it fails."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from schemas.errors import DeadlineError, ServiceError
from schemas.protocols import Reranker, RerankScore, Scoring
from schemas.search import ScoreKind


class Reranking(NamedTuple):
    """The second stage."""

    reranker: Reranker
    name: str
    score_kind: ScoreKind
    candidates: int
    """How many articles it sees unless a request says otherwise."""
    seconds: float | None
    """How long it may take, None: any time."""
    degrade: bool = True
    """Hits are returned as retrieved if it takes longer or does not answer; False: the search fails."""


class SecondStage:
    """Asks the re-ranker. While that fails, one request at a time tries it, and the others do not wait for it."""

    def __init__(self, ranking: Reranking) -> None:
        self.ranking = ranking
        self._failure: ServiceError | None = None
        self._tried = False

    async def scores(self, scorings: Sequence[Scoring]) -> tuple[list[list[RerankScore] | None], str | None]:
        """Return the scores of each query's passages; where they cannot be had, None for each, and why.

        Raises:
            ServiceError: they cannot be had, and a search without them is to fail.
        """
        failure = self._failure
        if not (failure and self._tried):
            self._tried = True
            try:
                found = await asyncio.wait_for(self.ranking.reranker.score([*scorings]), self.ranking.seconds)
                self._failure = None
                return [*found], None
            except TimeoutError:
                failure = DeadlineError(f"the re-ranker took more than {self.ranking.seconds:g} s; try again")
                # What is too much for it in one request says nothing of the others.
                if sum(len(scoring.matches) for scoring in scorings) <= self.ranking.candidates:
                    self._failure = failure
            except ServiceError as error:
                self._failure = failure = error
            finally:
                self._tried = False
        if not self.ranking.degrade:
            raise failure.with_traceback(None)  # which would grow with each request that raises it
        return [None] * len(scorings), str(failure)
