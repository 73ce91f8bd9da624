import asyncio

import pytest

from actors.service.second_stage import Reranking, SecondStage
from schemas.article import DisplayArticle
from schemas.errors import DeadlineError
from schemas.protocols import Match, Query, RerankScore, Scoring
from tests.support.service.seams import Gone

SCORINGS = [Scoring(Query("q"), [])]
FINE: tuple[list[list[RerankScore]], None] = ([[]], None)
SLOW = ([None], "the re-ranker took more than 0.05 s; try again")


class Moody:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = asyncio.Event()

    async def score(self, scorings: list[Scoring]) -> list[list[RerankScore]]:
        self.asked += 1
        await self.answers.wait()
        return [[] for _ in scorings]


def test_while_it_fails_one_request_at_a_time_tries_it_and_the_first_success_ends_that() -> None:
    async def run() -> None:
        moody = Moody()
        stage = SecondStage(Reranking(moody, "moody", "logit", 3, seconds=0.05))
        assert await asyncio.gather(*(stage.scores(SCORINGS) for _ in range(3))) == [SLOW] * 3
        assert moody.asked == 3
        assert await asyncio.gather(*(stage.scores(SCORINGS) for _ in range(3))) == [SLOW] * 3
        assert moody.asked == 4
        moody.answers.set()
        assert await stage.scores(SCORINGS) == FINE
        assert await asyncio.gather(*(stage.scores(SCORINGS) for _ in range(3))) == [FINE] * 3
        assert moody.asked == 8

    asyncio.run(run())


def test_a_request_that_is_too_large_for_it_says_nothing_of_others() -> None:
    match = Match(0.0, DisplayArticle(1, None, "", ""))

    async def run() -> None:
        moody = Moody()
        stage = SecondStage(Reranking(moody, "moody", "logit", 3, seconds=0.05))
        assert await stage.scores([Scoring(Query("q"), [match] * 4)]) == SLOW
        assert await asyncio.gather(*(stage.scores(SCORINGS) for _ in range(3))) == [SLOW] * 3
        assert moody.asked == 4

    asyncio.run(run())


def test_one_that_is_gone_is_said_to_be() -> None:
    stage = SecondStage(Reranking(Gone(), "gone", "logit", 3, seconds=None))
    reason = "the reranker does not answer; try again"
    assert asyncio.run(stage.scores(SCORINGS)) == ([None], reason)
    assert asyncio.run(stage.scores(SCORINGS * 2)) == ([None, None], reason)


def test_where_hits_are_not_to_degrade_it_fails_as_quickly_and_is_tried_as_often() -> None:
    async def run() -> None:
        moody = Moody()
        stage = SecondStage(Reranking(moody, "moody", "logit", 3, seconds=0.05, degrade=False))
        for asked in (3, 4):
            failures = await asyncio.gather(*(stage.scores(SCORINGS) for _ in range(3)), return_exceptions=True)
            assert [(type(failure), str(failure)) for failure in failures] == [(DeadlineError, SLOW[1])] * 3
            assert moody.asked == asked
        moody.answers.set()
        assert await stage.scores(SCORINGS) == FINE

    asyncio.run(run())


def test_a_failure_that_many_are_told_of_holds_on_to_none_of_them() -> None:
    async def run() -> int:
        stage = SecondStage(Reranking(Moody(), "moody", "logit", 3, seconds=0.2, degrade=False))
        with pytest.raises(DeadlineError):
            await stage.scores(SCORINGS)
        trying = asyncio.create_task(stage.scores(SCORINGS))
        await asyncio.sleep(0)
        for _ in range(50):
            with pytest.raises(DeadlineError) as raised:
                await stage.scores(SCORINGS)
        trying.cancel()
        return len(raised.traceback)

    assert asyncio.run(run()) < 5
