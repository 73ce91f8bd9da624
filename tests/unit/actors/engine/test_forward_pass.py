"""The engine's order of things, with forward passes that write down when they start and when they are awaited."""

import asyncio
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from actors.engine.abandonable import in_thread
from actors.engine.forward_pass import Engine, Finish, Pending
from retrieval.embed.tokens import TokenBatch


def batch(number: int) -> TokenBatch:
    ids = np.full((1, 2), number)
    return TokenBatch(ids, np.ones_like(ids), np.zeros_like(ids), [number])


class Diary:
    """A forward pass that returns its ids, and its diary."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, batch: TokenBatch, finish: Finish) -> Pending:
        [number] = batch.positions
        self.lines.append(f"start {number}")

        def wait() -> torch.Tensor:
            self.lines.append(f"await {number}")
            return finish(torch.from_numpy(batch.ids), torch.from_numpy(batch.mask))

        return wait


def test_the_next_batch_is_started_before_a_result_is_awaited() -> None:
    diary = Diary()
    for number, (given, _) in enumerate(Engine(diary).run(map(batch, range(3)))):
        diary.lines.append(f"use {number}")
        assert given.positions == [number]
    assert diary.lines == [
        *("start 0", "start 1", "await 0", "use 0"),
        *("start 2", "await 1", "use 1"),
        *("await 2", "use 2"),
    ]


def test_each_batch_comes_with_its_own_finished_output() -> None:
    pairs = list(Engine(Diary()).run(map(batch, range(5)), lambda output, mask: (output * mask).sum(1)))
    assert [output.tolist() for _, output in pairs] == [[0], [2], [4], [6], [8]]
    assert [given.positions for given, _ in pairs] == [[0], [1], [2], [3], [4]]


def test_one_batch_alone_gives_its_whole_output() -> None:
    assert Engine(Diary())(batch(7)).tolist() == [[7, 7]]


def test_no_batches_give_nothing() -> None:
    assert list(Engine(Diary()).run([])) == []


def test_no_more_passes_are_started_when_nobody_waits_for_them() -> None:
    diary, begun, go_on, ended = Diary(), threading.Event(), threading.Event(), threading.Event()

    def batches() -> Iterator[TokenBatch]:
        for number in range(5):
            if number == 1:
                begun.set()
                go_on.wait(10)
            yield batch(number)

    def work() -> None:
        try:
            list(Engine(diary).run(batches()))
        finally:
            ended.set()

    async def run() -> None:
        task = asyncio.create_task(in_thread(work))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()

    asyncio.run(run())
    assert ended.wait(10)
    assert diary.lines == ["start 0"]
