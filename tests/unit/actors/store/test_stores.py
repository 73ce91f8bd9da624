"""What holds for every kind of store."""

import pickle
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from actors.store.local_store import LocalStore
from actors.store.stores import open_store
from retrieval.files.checked import file_digest, write_bytes
from schemas.errors import IntegrityError, StoreError
from schemas.layout import Layout
from schemas.store import Store
from tests.support.stores.store_files import config

RACERS = 6


def test_a_folder_is_a_local_store(tmp_path: Path) -> None:
    assert open_store(config(tmp_path)) == LocalStore(str(tmp_path))


def test_what_is_written_is_read_and_known(store: Store) -> None:
    assert (store.read("a/b"), store.facts("a/b")) == (None, None)
    before = store.now()
    write_bytes(store, "a/b", b"content")
    assert store.read("a/b") == b"content"
    facts = store.facts("a/b")
    assert facts
    assert (facts.key, facts.bytes) == ("a/b", 7)
    assert abs(facts.modified - before) < 5e9
    assert store.facts("a") is None
    assert store.name("a/b") == f"{store.root}/a/b"


def test_an_empty_object_is_not_an_absent_one(store: Store) -> None:
    write_bytes(store, "a", b"")
    assert store.read("a") == b""
    assert not store.swap("a", None, b"x")
    assert store.swap("a", b"", b"x")


def test_folders_are_listed_one_by_one_or_whole(store: Store) -> None:
    for key in ("a/1", "a/2", "a/b/3", "ab/4", "c"):
        write_bytes(store, key, key.encode())
    assert sorted(store.names("a")) == ["1", "2", "b"]
    assert sorted(store.names("")) == ["a", "ab", "c"]
    assert [*store.names("none"), *store.entries("none")] == []
    assert {one.key: one.bytes for one in store.entries("a")} == {"a/1": 3, "a/2": 3, "a/b/3": 5}
    assert {one.key for one in store.entries("")} == {"a/1", "a/2", "a/b/3", "ab/4", "c"}
    assert list(store.unfinished()) == []


def test_objects_and_folders_are_removed_or_gone_already(store: Store) -> None:
    for key in ("a/1", "a/2/3", "ab", "c"):
        write_bytes(store, key, b"x")
    for key in ("a", "c", "c", "none"):
        store.remove(key)
    assert [one.key for one in store.entries("")] == ["ab"]


def test_a_folder_comes_whole_or_not_at_all(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.incoming("s/1", last="m.json") as path:
        path.mkdir()
        (path / "a").write_bytes(b"half")
        raise ZeroDivisionError
    assert list(store.entries("")) == []
    for content in (b"first", b"second"):
        with store.incoming("s/1", last="m.json") as path:
            path.mkdir()
            (path / "a").write_bytes(content)
            (path / "m.json").write_bytes(b"{}")
    assert store.read("s/1/a") == b"first"  # both hold the same
    assert {one.key for one in store.entries("")} == {"s/1/a", "s/1/m.json"}


def test_an_error_leaves_the_old_object(store: Store) -> None:
    write_bytes(store, "a", b"old")
    with pytest.raises(ZeroDivisionError), store.incoming("a") as path:
        path.write_bytes(b"new")
        raise ZeroDivisionError
    assert store.read("a") == b"old"


def test_a_file_is_here_if_it_is_what_its_digest_says(store: Store, tmp_path: Path) -> None:
    content = np.random.default_rng(0).bytes(200_000)
    (tmp_path / "same").write_bytes(content)
    digest = file_digest(tmp_path / "same")
    write_bytes(store, "s/rows", content)
    store.check("s/rows", digest)
    for _ in range(2):
        assert store.local("s/rows", digest).read_bytes() == content
    assert store.local("s/rows").read_bytes() == content
    wrong = digest.model_copy(update={"sha256": "0" * 64, "head": "0" * 64})
    write_bytes(store, "s/other", content)
    for look in (store.check, partial(store.check, whole=True), store.local):
        with pytest.raises(IntegrityError, match=r"s/other: .*sha256 .*its manifest says 000000000000"):
            look("s/other", wrong)
    for look in (store.check, store.local):
        with pytest.raises(IntegrityError, match="s/none: file is missing"):
            look("s/none", digest)
    write_bytes(store, "s/short", content[:-1])
    write_bytes(store, "s/tail", content[:-1] + b"x")
    store.check("s/tail", file_digest(tmp_path / "same"))
    with pytest.raises(IntegrityError, match=r"s/tail: .*sha256"):
        store.check("s/tail", digest, whole=True)
    store.check("s/rows", digest, whole=True)
    for look in (store.check, partial(store.check, whole=True), store.local):
        with pytest.raises(IntegrityError, match=r"s/short: .*199999 bytes, .*200000"):
            look("s/short", digest)


def test_an_object_without_a_digest_is_the_newest_of_its_key(store: Store) -> None:
    write_bytes(store, "a.xml", b"one")
    assert store.local("a.xml").read_bytes() == b"one"
    write_bytes(store, "a.xml", b"other")
    assert store.local("a.xml").read_bytes() == b"other"


def test_ranges_come_in_their_order(store: Store) -> None:
    content = np.random.default_rng(0).bytes(100_000)
    write_bytes(store, "rows", content)
    starts = [0, 8, 4096, 50_000, 99_992]
    assert store.ranges("rows", starts, 8) == b"".join(content[s : s + 8] for s in starts)
    assert store.ranges("rows", [], 8) == b""


def test_parquet_is_read_by_ranges(store: Store) -> None:
    table = pa.table({"a": np.arange(10_000), "b": np.random.default_rng(0).random(10_000)})
    with store.incoming("t.parquet") as path:
        pq.write_table(table, path, row_group_size=1000, write_page_checksum=True)
    with store.parquet("t.parquet") as file:
        assert file.read_row_group(3, ["a"])["a"].to_pylist() == list(range(3000, 4000))
    with pytest.raises(StoreError, match=r"none\.parquet: no such file; run the job"), store.parquet("none.parquet"):
        pass
    write_bytes(store, "broken.parquet", b"PAR1 and so on")
    with pytest.raises(IntegrityError, match=r"broken\.parquet: not whole Parquet"), store.parquet("broken.parquet"):
        pass


def test_swap_needs_the_expected_content(store: Store) -> None:
    assert not store.swap("CURRENT", b"a", b"b")
    assert store.read("CURRENT") is None
    assert store.swap("CURRENT", None, b"a")
    assert not store.swap("CURRENT", None, b"b")
    assert not store.swap("CURRENT", b"b", b"c")
    assert store.read("CURRENT") == b"a"
    assert store.swap("CURRENT", b"a", b"b")
    assert store.read("CURRENT") == b"b"


def count_up(store: Store, key: str, name: str, times: int) -> None:
    """Add a line, `times` times, again whenever somebody else was faster."""
    while times:
        before = store.read(key) or b""
        times -= store.swap(key, before, before + f"{name}{times}\n".encode())


@pytest.mark.parametrize("key", ["n", Layout.current])
def test_no_swap_of_racing_threads_is_lost(key: str, store: Store) -> None:
    write_bytes(store, key, b"")
    threads = [threading.Thread(target=count_up, args=(store, key, str(racer), 3)) for racer in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = (store.read(key) or b"").decode().split()
    assert sorted(lines) == sorted(f"{racer}{time}" for racer in range(RACERS) for time in range(1, 4))


def test_what_was_made_in_a_work_folder_becomes_an_object(store: Store) -> None:
    folder = store.work("sources")
    folder.mkdir(parents=True)
    (folder / "a.xml").write_bytes(b"content")
    store.keep(folder / "a.xml", "sources/a.xml")
    assert store.local("sources/a.xml").read_bytes() == b"content"


def test_a_store_travels_between_processes(store: Store) -> None:
    write_bytes(store, "a", b"x")
    assert pickle.loads(pickle.dumps(store)).read("a") == b"x"
