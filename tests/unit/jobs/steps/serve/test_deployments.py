"""What a replica answers, and what becomes of a call whose replica is busy, dies or is not waited for.

The handle is a stand-in.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError

from actors.service.meter import Meter
from jobs.steps.serve.deployments import Remote, answers
from schemas.config import DeploymentConfig
from schemas.errors import FailedError, InputError, OverloadedError, UnavailableError
from schemas.filters import Condition, Wanted
from schemas.protocols import Lookup, Match, Query
from tests.support.service.seams import Shelf

ZERO = np.zeros(1, np.float32)
STRANGE = Wanted((Condition(field="mesh", op="=", value="Hearth"),))


class Strict(Shelf):
    """A shelf that knows no MeSH heading."""

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        if any(lookup.wanted.filters for lookup in lookups):
            raise InputError("filter: no article has mesh 'Hearth'")
        return await super().search(lookups)


def test_a_refused_lookup_does_not_spoil_those_beside_it() -> None:
    lookups = [Lookup(ZERO, 1), Lookup(ZERO, 1, STRANGE), Lookup(ZERO, 2)]
    first, refused, last = asyncio.run(answers(Strict([1, 2]).search, lookups))
    assert ([m.article.pmid for m in first], [m.article.pmid for m in last]) == ([1], [1, 2])
    assert isinstance(refused, InputError)
    assert str(refused) == "filter: no article has mesh 'Hearth'"


@given(asked=st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=8))
def test_whatever_comes_together_each_lookup_is_answered_as_if_alone(asked: list[tuple[int, bool]]) -> None:
    lookups = [Lookup(ZERO, k, STRANGE if strange else Wanted()) for k, strange in asked]
    together = asyncio.run(answers(Strict([1, 2, 3]).search, lookups))
    alone = [asyncio.run(answers(Strict([1, 2, 3]).search, [lookup]))[0] for lookup in lookups]
    assert [*map(repr, together)] == [*map(repr, alone)]
    assert [isinstance(answer, InputError) for answer in together] == [strange for _, strange in asked]


def test_lookups_that_none_refuses_are_answered_together() -> None:
    shelf = Shelf([1, 2])
    assert asyncio.run(answers(shelf.search, [Lookup(ZERO, 1)] * 3)) == [shelf._matches(Lookup(ZERO, 1))] * 3
    assert shelf.depths == [1, 1, 1]


def test_an_item_that_fails_unforeseen_spoils_none_beside_it_and_its_traceback_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shelf = Shelf([1, 2])
    fine, failed = asyncio.run(answers(shelf.search, [Lookup(ZERO, 1), "no lookup"]))
    assert fine == shelf._matches(Lookup(ZERO, 1))
    assert (type(failed), str(failed)) == (FailedError, "a part of the service failed; its log has the reason")
    assert "AttributeError: 'str' object has no attribute 'k'" in caplog.text


Call = Callable[[str, list[Any]], Awaitable[list[Any]]]


class Response:
    """What a handle returns: to be awaited, or cancelled."""

    def __init__(self, answer: Awaitable[list[Any]], cancelled: list[bool]) -> None:
        self._answer, self._cancelled = answer, cancelled

    def __await__(self) -> Generator[Any, None, list[Any]]:
        return self._answer.__await__()

    def cancel(self) -> None:
        self._cancelled.append(True)


class Handle:
    """Answers a call by a function, and stands for what Ray Serve gives."""

    def __init__(self, answer: Call) -> None:
        self._answer = answer
        self.cancelled: list[bool] = []
        self.asked: list[tuple[str, int]] = []

    def options(self, **_: object) -> "Handle":
        return self

    @property
    def call(self) -> "Handle":
        return self

    def remote(self, method: str, items: list[Any]) -> Response:
        self.asked.append((method, len(items)))
        return Response(self._answer(method, items), self.cancelled)


def encoder(answer: Call, **settings: Any) -> tuple[Remote, Handle]:
    handle: Any = Handle(answer)
    return Remote("encoder", handle, DeploymentConfig(**settings), Meter()), handle


async def lengths(method: str, items: list[Any]) -> list[Any]:
    await asyncio.sleep(0)
    return [len(item.text) for item in items]


def test_what_is_asked_together_goes_in_one_call_and_each_gets_its_answer() -> None:
    async def ask() -> list[Any]:
        encoded = [remote.encode([Query(text)]) for text in ("a", "bb", "ccc")]
        return [*await asyncio.gather(*encoded), await remote.count_tokens([Query("dddd")])]

    remote, handle = encoder(lengths, target_ongoing_requests=1)
    assert asyncio.run(ask()) == [[1], [2], [3], [4]]
    assert sum(count for method, count in handle.asked if method == "encode") == 3
    assert len([method for method, _ in handle.asked if method == "encode"]) < 3
    assert ("count_tokens", 1) in handle.asked


def test_of_a_replica_that_dies_another_is_asked() -> None:
    deaths = iter([RayActorError()])

    async def answer(method: str, items: list[Any]) -> list[Any]:
        if error := next(deaths, None):
            raise error
        return await lengths(method, items)

    remote, handle = encoder(answer)
    assert asyncio.run(remote.encode([Query("abc")])) == [3]
    assert handle.asked == [("encode", 1), ("encode", 1)]


@pytest.mark.parametrize(
    ("error", "told", "calls"),
    [
        (RayActorError(), (UnavailableError, "the encoder does not answer; try again"), 2),
        (
            BackPressureError(num_queued_requests=1, max_queued_requests=1),
            (OverloadedError, "encoder is busy"),
            1,
        ),
    ],
)
def test_what_cannot_be_answered_is_told(error: Exception, told: tuple[type[Exception], str], calls: int) -> None:
    async def answer(method: str, items: list[Any]) -> list[Any]:
        raise error

    remote, handle = encoder(answer)
    with pytest.raises(told[0], match=told[1]):
        asyncio.run(remote.encode([Query("abc")]))
    assert len(handle.asked) == calls


def test_a_call_that_nobody_waits_for_any_more_is_cancelled() -> None:
    async def answer(method: str, items: list[Any]) -> list[Any]:
        await asyncio.sleep(60)
        raise AssertionError

    async def leave() -> None:
        call = asyncio.create_task(remote._call("encode", [Query("abc")]))
        await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    remote, handle = encoder(answer)
    asyncio.run(leave())
    assert handle.cancelled == [True]
