import multiprocessing
import threading
from pathlib import Path

import pytest

from retrieval.files.atomic import write_bytes
from retrieval.files.locks import compare_and_swap, exclusive
from schemas.errors import StoreError

RACERS = 8


def test_a_lock_is_held_by_one_and_let_go(tmp_path: Path) -> None:
    lock = str(tmp_path / ".lock")
    with exclusive(lock, "gc"):
        with pytest.raises(StoreError) as error, exclusive(lock, "gc"):
            pass
        assert str(error.value) == f"{lock}: another gc is at work in this store; wait until it is done"
    with exclusive(lock, "gc"):
        pass


def test_swap_needs_the_expected_content(tmp_path: Path) -> None:
    path = str(tmp_path / "CURRENT")
    assert not compare_and_swap(path, b"a", b"b")
    assert not (tmp_path / "CURRENT").exists()
    assert compare_and_swap(path, None, b"a")
    assert not compare_and_swap(path, None, b"b")
    assert not compare_and_swap(path, b"b", b"c")
    assert (tmp_path / "CURRENT").read_bytes() == b"a"
    assert compare_and_swap(path, b"a", b"b")
    assert (tmp_path / "CURRENT").read_bytes() == b"b"


def test_an_empty_file_is_not_an_absent_one(tmp_path: Path) -> None:
    write_bytes(str(tmp_path / "CURRENT"), b"")
    assert not compare_and_swap(str(tmp_path / "CURRENT"), None, b"a")
    assert compare_and_swap(str(tmp_path / "CURRENT"), b"", b"a")


def count_up(path: str, times: int) -> None:
    """Add 1 to the number in a file, `times` times, again whenever somebody else was faster."""
    while times:
        before = Path(path).read_bytes()
        times -= compare_and_swap(path, before, str(int(before) + 1).encode())


def test_no_swap_of_racing_threads_is_lost(tmp_path: Path) -> None:
    write_bytes(str(tmp_path / "n"), b"0")
    threads = [threading.Thread(target=count_up, args=(str(tmp_path / "n"), 5)) for _ in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "n").read_bytes() == b"40"


def swap_once(path: str, barrier: threading.Barrier, wins: "multiprocessing.Queue[bool]", name: bytes) -> None:
    barrier.wait()
    wins.put(compare_and_swap(path, None, name))


@pytest.mark.whole
def test_exactly_one_of_racing_processes_wins(tmp_path: Path) -> None:
    # forkserver: pytest's process has threads, which fork does not copy
    context = multiprocessing.get_context("forkserver")
    barrier, wins = context.Barrier(3), context.Queue()
    path = str(tmp_path / "CURRENT")
    racers = [context.Process(target=swap_once, args=(path, barrier, wins, b"%d" % i)) for i in range(3)]
    for racer in racers:
        racer.start()
    outcomes = [wins.get(timeout=60) for _ in racers]
    for racer in racers:
        racer.join()
    assert sorted(outcomes) == [False, False, True]
