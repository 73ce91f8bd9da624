import asyncio

from actors.ranking import Ranking, SecondStage
from schemas.errors import UnavailableError
from schemas.protocols import Query, RerankScore, Scoring

SCORINGS = [Scoring(Query("q"), [])]
FINE: tuple[list[list[RerankScore]], None] = ([[]], None)
SLOW = ([None], "the re-ranker took more than 0.05 s")


class Moody:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = asyncio.Event()

    async def score(self, scorings: list[Scoring]) -> list[list[RerankScore]]:
        self.asked += 1
        await self.answers.wait()
        return [[] for _ in scorings]


class Gone:
    """Is not there."""

    async def score(self, scorings: list[Scoring]) -> list[list[RerankScore]]:
        raise UnavailableError("the reranker does not answer; try again")


def test_while_it_fails_one_request_at_a_time_tries_it_and_the_first_success_ends_that() -> None:
    async def run() -> None:
        moody = Moody()
        stage = SecondStage(Ranking(moody, "moody", "logit", 3, seconds=0.05))
        assert await asyncio.gather(*(stage.scores(SCORINGS) for _ in range(3))) == [SLOW] * 3
        assert moody.asked == 3
        assert await asyncio.gather(*(stage.scores(SCORINGS) for _ in range(3))) == [SLOW] * 3
        assert moody.asked == 4
        moody.answers.set()
        assert await stage.scores(SCORINGS) == FINE
        assert await asyncio.gather(*(stage.scores(SCORINGS) for _ in range(3))) == [FINE] * 3
        assert moody.asked == 8

    asyncio.run(run())


def test_one_that_is_gone_is_said_to_be() -> None:
    stage = SecondStage(Ranking(Gone(), "gone", "logit", 3, seconds=None))
    reason = "the reranker does not answer; try again"
    assert asyncio.run(stage.scores(SCORINGS)) == ([None], reason)
    assert asyncio.run(stage.scores(SCORINGS * 2)) == ([None, None], reason)
