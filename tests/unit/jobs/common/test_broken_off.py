"""What is waited for ends when another thread says so, with the error that it says."""

import math
import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from jobs.common.broken_off import break_off, broken_off_by, within
from schemas.errors import LostError, OverdueError

LOST, LATE = LostError("lost"), OverdueError("late")


def wait() -> None:
    queue.SimpleQueue[int]().get(timeout=30)


@contextmanager
def soon(seconds: float = 5) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


def test_who_waits_for_an_answer_is_broken_off() -> None:
    with soon(), pytest.raises(LostError, match=r"^lost$"), broken_off_by(LOST) as stop:
        threading.Timer(0.1, stop).start()
        wait()


def test_what_takes_too_long_ends_at_its_deadline() -> None:
    with soon(1.1), pytest.raises(OverdueError, match=r"^late$"), within(0.1, LATE):
        wait()
    time.sleep(0.2)  # and nothing comes later


def test_what_is_done_in_time_is_left_alone() -> None:
    with within(0.2, LATE), within(math.inf, LATE):
        pass
    time.sleep(0.3)


def test_the_innermost_tells_why_whoever_asked() -> None:
    told = list[BaseException]()
    with soon(), pytest.raises(LostError), broken_off_by(LOST) as stop:
        threading.Timer(0.1, stop).start()
        try:
            with within(20, LATE):
                wait()
        except LostError as error:
            told.append(error)
            raise
    assert told == [LOST]
    with pytest.raises(OverdueError), broken_off_by(LOST), within(0.1, LATE):
        wait()


def test_who_has_no_block_of_his_own_can_break_off_what_is_under_way_and_nothing_after_it() -> None:
    with soon(), pytest.raises(LostError), within(20, LATE), within(20, LATE):
        threading.Timer(0.1, break_off, [LOST]).start()
        wait()
    break_off(LOST)
    with within(20, LATE):
        time.sleep(0.1)


def test_what_fails_by_itself_and_ctrl_c_are_told_as_they_are() -> None:
    for error in (ValueError("x"), KeyboardInterrupt()):
        with pytest.raises(type(error)), within(20, LATE):
            raise error


def test_where_no_signal_is_taken_nothing_is_broken_off() -> None:
    def run() -> str:
        with within(0.01, LATE):
            time.sleep(0.1)
        return "done"

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(run).result() == "done"
