"""What a folder does that a bucket does not."""

import multiprocessing
import threading
from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from retrieval.files.checked import write_bytes
from schemas.store import Stored


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path))


def test_hidden_files_and_folders_are_not_listed(store: LocalStore) -> None:
    for key in ("a/1", "a/.2", ".git/3", "a/.b/4", ".c"):
        write_bytes(store, key, b"x")
    assert [one.key for one in store.entries("")] == ["a/1"]
    assert list(store.names("")) == ["a"]


def test_what_a_process_that_died_left_is_found_and_removed(store: LocalStore) -> None:
    folder = store.path("segments/.s.1234.tmp")
    folder.mkdir(parents=True)
    (folder / "rows").write_bytes(b"half")
    store.path(".CURRENT.5678.tmp").write_bytes(b"{")
    facts = (folder / "rows").stat()
    left = {one.key: one for one in store.unfinished()}
    assert left["segments/.s.1234.tmp"] == Stored("segments/.s.1234.tmp", 4, facts.st_mtime_ns)
    assert left[".CURRENT.5678.tmp"].bytes == 1
    for key in left:
        store.remove(key)
    assert list(store.unfinished()) == []


def test_a_link_to_a_file_is_a_file(store: LocalStore, tmp_path: Path) -> None:
    write_bytes(store, "a", b"content")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")
    assert {one.key: one.bytes for one in store.entries("")} == {"a": 7, "b": 7}


def test_linked_folders_are_looked_into(store: LocalStore, tmp_path: Path) -> None:
    other = LocalStore(str(tmp_path / "other disk"))
    write_bytes(other, "s1/rows", b"content")
    linked = LocalStore(str(tmp_path / "store"))
    linked.path("").mkdir()
    linked.path("segments").symlink_to(other.root)
    write_bytes(linked, "segments/.s3.1.tmp/rows", b"half")
    assert [one.key for one in linked.entries("")] == ["segments/s1/rows"]
    assert [(one.key, one.bytes) for one in linked.unfinished()] == [("segments/.s3.1.tmp", 4)]


def swap_once(root: str, barrier: threading.Barrier, wins: "multiprocessing.Queue[bool]", name: bytes) -> None:
    barrier.wait()
    wins.put(LocalStore(root).swap("CURRENT", None, name))


@pytest.mark.whole
def test_exactly_one_of_racing_processes_wins(tmp_path: Path) -> None:
    # forkserver: pytest's process has threads, which fork does not copy
    context = multiprocessing.get_context("forkserver")
    barrier, wins = context.Barrier(3), context.Queue()
    racers = [
        context.Process(target=swap_once, args=(str(tmp_path), barrier, wins, b"%d" % number)) for number in range(3)
    ]
    for racer in racers:
        racer.start()
    outcomes = [wins.get(timeout=60) for _ in racers]
    for racer in racers:
        racer.join()
    assert sorted(outcomes) == [False, False, True]
