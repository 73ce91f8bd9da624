import asyncio
import threading
import time

import pytest

from actors.engine.abandonable import in_thread, while_awaited


def test_work_that_nobody_waits_for_any_more_ends_before_its_next_step() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), list[int]()
    ended = threading.Event()

    def work() -> None:
        try:
            for step in while_awaited(range(3)):
                done.append(step)
                begun.set()
                go_on.wait(10)
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
    assert done == [0]


def test_work_that_is_waited_for_is_done_whatever_became_of_work_before_and_beside_it() -> None:
    def slow(steps: int) -> list[int]:
        done = []
        for step in while_awaited(range(steps)):
            time.sleep(0.01)
            done.append(step)
        return done

    async def run() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(in_thread(slow, 1000), 0.05)
        found = await asyncio.gather(in_thread(slow, 5), in_thread(slow, steps=9))
        assert [*found] == [[*range(5)], [*range(9)]]

    asyncio.run(run())


def test_outside_of_a_service_somebody_always_waits() -> None:
    assert [*while_awaited("abc")] == ["a", "b", "c"]
