import threading
from concurrent.futures import Future

import pytest

from actors.fetch.downloader import CONNECTIONS
from actors.fetch.fetching import fetching


def no_stop() -> None:
    raise AssertionError("nothing went wrong")


def test_each_is_handed_on_when_it_is_there_and_few_run_at_a_time() -> None:
    first_may_end, running, most = threading.Event(), 0, 0
    lock = threading.Lock()

    def fetch(key: int) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if key == 0:
            first_may_end.wait()
        with lock:
            running -= 1
        return f"file {key}"

    found = []
    with fetching(fetch, range(5), no_stop) as finished:
        for key, future in finished:
            found.append((key, future.result()))
            if len(found) == 4:
                first_may_end.set()
    assert found == [(key, f"file {key}") for key in (1, 2, 3, 4, 0)]
    assert most == CONNECTIONS


def test_what_is_added_meanwhile_is_handed_on_too() -> None:
    found: list[object] = []
    with fetching(str, [1, 2], no_stop) as finished:
        for key, future in finished:
            found.append(future.result())
            if future.result() == str(key):
                parsed: Future[int] = Future()
                finished.add(key, parsed)
                parsed.set_result(key)
    assert sorted(map(repr, found)) == ["'1'", "'2'", "1", "2"]


def test_a_failure_is_handed_on_like_a_result() -> None:
    with fetching(int, ["1", "x"], no_stop) as finished:
        assert {key: type(future.exception()) for key, future in finished} == {"1": type(None), "x": ValueError}


def test_what_still_runs_is_stopped_when_the_block_is_left_early() -> None:
    stopped = threading.Event()
    with pytest.raises(KeyError), fetching(lambda key: key and stopped.wait(), range(9), stopped.set) as finished:
        next(iter(finished))
        raise KeyError
    assert stopped.is_set()
