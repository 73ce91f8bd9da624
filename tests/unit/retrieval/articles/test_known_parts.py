import os
from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from retrieval.articles import known_parts
from retrieval.articles.article import ArticlePart, read_article_part
from retrieval.articles.known_parts import KnownParts
from retrieval.articles.snapshot import Snapshot, read_snapshot
from retrieval.articles.snapshot_update import SnapshotPlan, write_snapshot
from retrieval.files.checked import write_bytes
from schemas.article import Article
from schemas.errors import StoreError
from schemas.layout import Layout
from schemas.snapshot import Lineage
from schemas.store import Store
from tests.support.stores.store_files import add_part


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path))


def snapshot(store: Store, *names: str) -> Snapshot:
    """One that knows how its parts lie."""
    known = KnownParts(store, None)
    refs, files = tuple(map(known.ref, names)), {name: known.file(name) for name in names}
    plan = SnapshotPlan(Lineage(number=0), refs, None, part_files=files)
    write_snapshot(store, plan, lambda counts: None)
    return read_snapshot(store, plan.id)


def footers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the parts that are read from now on."""
    found = list[str]()

    def read(store: Store, name: str) -> ArticlePart:
        found.append(name)
        return read_article_part(store, name)

    monkeypatch.setattr(known_parts, "read_article_part", read)
    return found


def test_of_what_a_snapshot_knows_nothing_is_read(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    add_part(store, "a", Article(1), source_bytes=7, lineage=3)
    before = snapshot(store, "a")
    add_part(store, "b", Article(2))
    read, parts = footers(monkeypatch), KnownParts(store, before)
    assert parts.names == {"a", "b"}
    assert (parts.ref("a"), parts.file("a").source[:4:3]) == (before.info.parts[0], (7, 3))
    assert read == []
    assert parts.ref("b").rows == parts.file("b").source.bytes == 1
    assert read == ["b"]


def test_what_is_looked_at_is_read_once(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"part{number}" for number in range(40)]
    for number, name in enumerate(names):
        add_part(store, name, Article(number + 1))
    before = snapshot(store, *names[:3])
    read, parts = footers(monkeypatch), KnownParts(store, before)
    parts.look_at(names)
    assert sorted(read) == sorted(names[3:])
    assert all(parts.ref(name).rows == 1 for name in names)
    assert len(read) == len(names) - 3


@pytest.mark.parametrize("change", ["content", "time"])
def test_a_part_that_is_not_as_it_was_is_read_again(
    change: str, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_part(store, "a", Article(1))
    before = snapshot(store, "a")
    if change == "content":
        made = add_part(store, "a", Article(1, title="of another file"))
    else:
        os.utime(store.path(Layout.article_part("a")), ns=(0, 0))
        made = before.info.parts[0]
    read, parts = footers(monkeypatch), KnownParts(store, before)
    assert (parts.ref("a"), read) == (made, ["a"])


def test_parts_of_snapshots_that_do_not_know_how_they_lie_are_read(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_part(store, "a", Article(1))
    before = snapshot(store, "a")
    older = before._replace(info=before.info.model_copy(update={"part_files": {}}))
    read, parts = footers(monkeypatch), KnownParts(store, older)
    assert (parts.ref("a"), read) == (before.info.parts[0], ["a"])


def test_a_part_that_is_gone_is_named(store: LocalStore) -> None:
    add_part(store, "a", Article(1))
    before = snapshot(store, "a")
    store.remove(Layout.article_part("a"))
    for read in (KnownParts(store, before).ref, KnownParts(store, before).file):
        with pytest.raises(StoreError, match=r"articles/a\.parquet: no such file; run the job that writes it"):
            read("a")


def test_what_is_no_part_is_none(store: LocalStore) -> None:
    add_part(store, "a")
    for name in ("a.parquet.bak", "note.txt"):
        write_bytes(store, f"articles/{name}", b"")
    assert KnownParts(store, None).names == {"a"}
