"""Requests that come while others are under way go together in the next call."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from schemas.config import DeploymentConfig
from schemas.errors import OverloadedError

T = TypeVar("T")
R = TypeVar("R")


class _Waiting(NamedTuple, Generic[T, R]):
    item: T
    answer: asyncio.Future[R]


class Coalescer(Generic[T, R]):
    """Sends items to a part of the service in few calls: a call costs about the same for one item and for sixteen.

    The first item goes at once. No item waits for others to come: those that come while all calls are under way wait
    for one to end. An item that nobody waits for any more is not sent.
    """

    def __init__(
        self, name: str, settings: DeploymentConfig, call: Callable[[list[T]], Awaitable[Sequence[R | Exception]]]
    ) -> None:
        """`call` answers a list of items in its order, an item that fails with the error."""
        self._name, self._settings, self._call = name, settings, call
        self._waiting: deque[_Waiting[T, R]] = deque()
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def ask(self, items: Sequence[T]) -> list[R]:
        """Return the answer to each item.

        Raises:
            OverloadedError: more items wait than may.
            PubrayError: an item is refused.
        """
        if self._waiting and len(self._waiting) + len(items) > self._settings.max_waiting:
            raise OverloadedError(f"{len(self._waiting)} requests wait for the {self._name}; try again")
        asked = [_Waiting(item, asyncio.get_running_loop().create_future()) for item in items]
        self._waiting.extend(asked)
        self._send()
        return list(await asyncio.gather(*(one.answer for one in asked)))

    def _send(self) -> None:
        while self._waiting and len(self._under_way) < self._settings.calls:
            batch: list[_Waiting[T, R]] = []
            while self._waiting and len(batch) < self._settings.max_batch_size:
                if not (one := self._waiting.popleft()).answer.done():
                    batch.append(one)
            if batch:
                task = asyncio.create_task(self._answer(batch))
                self._under_way.add(task)
                for one in batch:
                    one.answer.add_done_callback(partial(_stop_if_unwanted, batch, task))
                task.add_done_callback(self._under_way.discard)
                task.add_done_callback(lambda _: self._send())

    async def _answer(self, batch: list[_Waiting[T, R]]) -> None:
        answers: Sequence[R | Exception]
        try:
            answers = await self._call([one.item for one in batch])
        except Exception as error:
            answers = [error] * len(batch)
        for one, answer in zip(batch, answers, strict=True):
            if one.answer.done():
                continue
            if isinstance(answer, Exception):
                one.answer.set_exception(answer)
            else:
                one.answer.set_result(answer)


def _stop_if_unwanted(batch: list[_Waiting[T, R]], task: asyncio.Task[None], _: asyncio.Future[R]) -> None:
    if all(one.answer.cancelled() for one in batch):
        task.cancel()
