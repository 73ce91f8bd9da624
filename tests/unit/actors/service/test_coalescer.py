import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.service.coalescer import Coalescer
from schemas.config import DeploymentConfig
from schemas.errors import InputError, OverloadedError, PubrayError


@dataclass
class Doubler:
    """Answers with twice each number, refuses 13, and fails as a whole when told to; takes as long as it is told."""

    seconds: float = 0
    broken: bool = False
    calls: list[list[int]] = field(default_factory=list)
    cancelled: int = 0

    async def call(self, items: list[int]) -> Sequence[int | PubrayError]:
        self.calls.append(items)
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.broken:
            raise RuntimeError("broken")
        return [InputError("13") if item == 13 else 2 * item for item in items]

    def coalescer(self, calls: int = 1, batch: int = 4, waiting: int = 100) -> Coalescer[int, int]:
        settings = DeploymentConfig(target_ongoing_requests=calls, max_batch_size=batch, max_waiting=waiting)
        return Coalescer("doubler", settings, self.call)


def test_what_comes_while_a_call_is_under_way_goes_together_in_the_next() -> None:
    async def ask() -> list[list[int]]:
        asked = doubler.coalescer()
        return await asyncio.gather(*(asked.ask([number]) for number in range(7)))

    doubler = Doubler(seconds=0.01)
    assert asyncio.run(ask()) == [[2 * number] for number in range(7)]
    assert doubler.calls == [[0], [1, 2, 3, 4], [5, 6]]


def test_several_calls_are_under_way_at_a_time() -> None:
    async def ask() -> None:
        asked = doubler.coalescer(calls=3)
        await asyncio.gather(*(asked.ask([number]) for number in range(7)))

    doubler = Doubler(seconds=0.01)
    asyncio.run(ask())
    assert doubler.calls == [[0], [1], [2], [3, 4, 5, 6]]


@given(st.lists(st.lists(st.integers(0, 12), max_size=9), max_size=9), st.integers(1, 3), st.integers(1, 5))
def test_every_caller_gets_its_own_answers_in_order(asked: list[list[int]], calls: int, batch: int) -> None:
    async def ask() -> list[list[int]]:
        coalescer = doubler.coalescer(calls, batch)
        return await asyncio.gather(*(coalescer.ask(items) for items in asked))

    doubler = Doubler()
    assert asyncio.run(ask()) == [[2 * item for item in items] for items in asked]
    assert sum(map(len, doubler.calls)) == sum(map(len, asked))
    assert max(map(len, doubler.calls), default=0) <= batch


def test_a_refusal_is_for_the_caller_whose_item_it_is() -> None:
    async def ask() -> list[object]:
        asked = doubler.coalescer()
        return await asyncio.gather(*(asked.ask([n]) for n in (1, 13, 3)), return_exceptions=True)

    doubler = Doubler(seconds=0.01)
    first, refused, last = asyncio.run(ask())
    assert (first, last) == ([2], [6])
    assert isinstance(refused, InputError)


def test_a_call_that_fails_fails_for_all_in_it_and_for_no_other() -> None:
    async def ask() -> list[object]:
        asked = doubler.coalescer()
        found = await asyncio.gather(*(asked.ask([n]) for n in (1, 2, 3)), return_exceptions=True)
        doubler.broken = False
        return [*found, await asked.ask([4])]

    doubler = Doubler(broken=True)
    *failed, answered = asyncio.run(ask())
    assert [str(error) for error in failed] == ["broken"] * 3
    assert answered == [8]


def test_more_items_than_may_wait_are_refused_and_those_that_wait_are_answered() -> None:
    async def ask() -> list[object]:
        asked = doubler.coalescer(waiting=2)
        return await asyncio.gather(*(asked.ask([n]) for n in range(5)), return_exceptions=True)

    doubler = Doubler(seconds=0.01)
    *answered, first, second = asyncio.run(ask())
    assert answered == [[0], [2], [4]]
    assert isinstance(first, OverloadedError)
    assert str(second) == "2 requests wait for the doubler; try again"


def test_a_list_longer_than_may_wait_is_taken_when_nothing_waits() -> None:
    assert asyncio.run(Doubler().coalescer(waiting=2).ask([1, 2, 3, 4, 5, 6])) == [2, 4, 6, 8, 10, 12]


def test_an_item_that_nobody_waits_for_any_more_is_not_sent_and_a_call_for_nobody_is_stopped() -> None:
    async def ask() -> None:
        asked = doubler.coalescer()
        under_way, waiting = (asyncio.create_task(asked.ask([n])) for n in (1, 2))
        await asyncio.sleep(0.01)
        waiting.cancel()
        under_way.cancel()
        await asyncio.sleep(0.01)
        assert await asked.ask([3]) == [6]

    doubler = Doubler(seconds=0.5)
    asyncio.run(ask())
    assert (doubler.calls, doubler.cancelled) == ([[1], [3]], 1)


def test_a_call_goes_on_for_those_who_still_wait() -> None:
    async def ask() -> list[int]:
        asked = doubler.coalescer()
        await asyncio.wait_for(asked.ask([0]), 1)
        first = asyncio.create_task(asked.ask([9]))
        leaves, stays = (asyncio.create_task(asked.ask([n])) for n in (1, 2))
        await first
        await asyncio.sleep(0.01)
        leaves.cancel()
        return await stays

    doubler = Doubler(seconds=0.02)
    assert asyncio.run(ask()) == [4]
    assert doubler.calls[-1] == [1, 2]
    assert doubler.cancelled == 0


@pytest.mark.parametrize("calls", [1, 2])
def test_nothing_is_asked_for_nothing(calls: int) -> None:
    doubler = Doubler()
    assert asyncio.run(doubler.coalescer(calls).ask([])) == []
    assert doubler.calls == []
