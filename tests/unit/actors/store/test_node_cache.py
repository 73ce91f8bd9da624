import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from actors.store.node_cache import NodeCache
from retrieval.files.checked import file_digest
from schemas.errors import IntegrityError, StoreError
from schemas.manifest import FileDigest


class Far:
    """Objects somewhere else, and what was fetched of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.fetched = folder, list[str]()
        folder.mkdir()

    def add(self, name: str, content: bytes) -> FileDigest:
        (self.folder / name).write_bytes(content)
        return file_digest(self.folder / name)

    def fetch(self, name: str) -> Callable[[Path], str]:
        def fetch(path: Path) -> str:
            self.fetched.append(name)
            path.write_bytes((self.folder / name).read_bytes())
            return file_digest(path).sha256

        return fetch


@pytest.fixture
def far(tmp_path: Path) -> Far:
    return Far(tmp_path / "far")


@pytest.fixture
def cache(tmp_path: Path) -> NodeCache:
    return NodeCache(str(tmp_path / "cache"), 100)


def test_many_ask_and_one_fetches(far: Far, cache: NodeCache) -> None:
    digest, found = far.add("a", b"x" * 40), list[bytes]()
    threads = [
        threading.Thread(target=lambda: found.append(cache.path("a", "t", far.fetch("a"), 40, digest).read_bytes()))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, far.fetched) == ([b"x" * 40] * 8, ["a"])


def test_the_least_recently_used_goes_and_who_has_it_mapped_keeps_it(far: Far, cache: NodeCache) -> None:
    digests = {name: far.add(name, name.encode() * 40) for name in "abc"}
    paths = {name: cache.path(name, "t", far.fetch(name), 40, digests[name]) for name in "ab"}
    mapped = np.memmap(paths["b"], np.uint8, "r")
    for when, name in enumerate("ba"):
        os.utime(paths[name], ns=(when, when))
    cache.path("c", "t", far.fetch("c"), 40, digests["c"])
    assert (paths["a"].exists(), paths["b"].exists()) == (True, False)
    assert bytes(mapped) == b"b" * 40
    assert cache.path("a", "t", far.fetch("a"), 40, digests["a"]) == paths["a"]
    assert far.fetched == ["a", "b", "c"]


def test_what_somebody_is_opening_stays_though_there_is_no_room(far: Far, cache: NodeCache) -> None:
    paths = [cache.path(name, "t", far.fetch(name), 60, far.add(name, name.encode() * 60)) for name in "ab"]
    assert [path.read_bytes() for path in paths] == [b"a" * 60, b"b" * 60]
    os.utime(paths[0], ns=(0, 0))
    cache.path("c", "t", far.fetch("c"), 10, far.add("c", b"c" * 10))
    assert [path.exists() for path in paths] == [False, True]


def test_what_arrives_at_the_same_time_has_its_room_already(far: Far, cache: NodeCache) -> None:
    old = cache.path("old", "t", far.fetch("old"), 30, far.add("old", b"o" * 30))
    os.utime(old, ns=(0, 0))
    digests = {"a": far.add("a", b"a" * 60), "b": far.add("b", b"b" * 30)}

    def fetch(path: Path) -> str:
        cache.path("b", "t", far.fetch("b"), 30, digests["b"])
        assert not old.exists()
        return far.fetch("a")(path)

    assert cache.path("a", "t", fetch, 60, digests["a"]).read_bytes() == b"a" * 60
    assert cache.used == 90


def test_others_may_have_filled_the_disk(far: Far, cache: NodeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    first = cache.path("a", "t", far.fetch("a"), 40, far.add("a", b"a" * 40))
    os.utime(first, ns=(0, 0))
    facts = shutil.disk_usage(cache.folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: facts._replace(free=10))
    assert cache.path("b", "t", far.fetch("b"), 40, far.add("b", b"b" * 40)).exists()
    assert not first.exists()


def test_what_does_not_fit_is_refused_with_the_arithmetic(far: Far, cache: NodeCache) -> None:
    digest = far.add("large", b"x" * 101)
    told = (
        rf"^large has 101 bytes, the cache {cache.folder} holds 100; set cache_bytes, or PUBRAY_CACHE to a larger disk$"
    )
    with pytest.raises(StoreError, match=told):
        cache.path("large", "t", far.fetch("large"), 101, digest)
    assert far.fetched == []


def test_what_arrives_otherwise_than_its_digest_says_is_refused_and_not_kept(far: Far, cache: NodeCache) -> None:
    digest = far.add("a", b"right")
    far.add("a", b"wrong")
    with pytest.raises(IntegrityError, match=rf"^a: arrived with sha256 .*its manifest says {digest.sha256[:12]}…"):
        cache.path("a", "t", far.fetch("a"), 5, digest)
    far.add("a", b"short"[:4])
    with pytest.raises(IntegrityError, match=r"^a: arrived with 4 bytes, 5 were announced; run again$"):
        cache.path("a", "t", far.fetch("a"), 5, digest)
    far.add("a", b"right")
    assert cache.path("a", "t", far.fetch("a"), 5, digest).read_bytes() == b"right"
    assert [path.name for path in Path(cache.folder, "objects", "t").iterdir()] == ["a"]


@pytest.mark.parametrize("damage", [b"wrong", b"w", b""])
def test_what_was_damaged_here_is_fetched_again(damage: bytes, far: Far, cache: NodeCache) -> None:
    digest = far.add("a", b"right")
    cache.path("a", "t", far.fetch("a"), 5, digest).write_bytes(damage)
    assert cache.path("a", "t", far.fetch("a"), 5, digest).read_bytes() == b"right"
    assert far.fetched == ["a", "a"]


def test_what_was_made_here_is_not_fetched(far: Far, cache: NodeCache, tmp_path: Path) -> None:
    digest = far.add("a", b"made")
    (tmp_path / "made").write_bytes(b"made")
    cache.adopt(tmp_path / "made", "a", "t")
    assert cache.path("a", "t", far.fetch("a"), 4, digest).read_bytes() == b"made"
    assert far.fetched == []


def test_without_a_limit_it_is_a_share_of_the_disk(tmp_path: Path) -> None:
    facts = os.statvfs(tmp_path)
    assert NodeCache(str(tmp_path / "c"), None).bytes == pytest.approx(0.8 * facts.f_blocks * facts.f_frsize, rel=0.01)


def test_what_dead_processes_left_goes_when_it_is_old(cache: NodeCache) -> None:
    old, young = cache.arriving(), cache.arriving()
    (old / "rows").write_bytes(b"half")
    os.utime(old, ns=(0, 0))
    cache.arriving()
    assert [path.exists() for path in (old, young)] == [False, True]
