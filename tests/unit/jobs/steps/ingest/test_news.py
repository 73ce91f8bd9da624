"""What a folder has that the store does not."""

from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from jobs.common.store import newest_snapshot
from jobs.steps.ingest.news import News, news
from jobs.steps.ingest.source_files import open_origin
from schemas.article import Article
from schemas.errors import UsageError
from tests.support.stores.store_files import add_part, add_snapshot, config


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """Two files that are ingested, and as many that are not."""
    store = LocalStore(str(tmp_path / "store"))
    add_snapshot(store, [add_part(store, "a", Article(1), source_bytes=7), add_part(store, "b", source_bytes=7)])
    (tmp_path / "s").mkdir()
    for name in "abcd":
        (tmp_path / "s" / f"{name}.xml").write_text("content")
    return store


def found(store: LocalStore, without: str | None = None, with_file: str | None = None) -> News:
    source = str(Path(store.root).parent / "s")
    with open_origin(config(Path(store.root)), source, baseline=False) as origin:
        return news(store, origin, newest_snapshot(store), without=without, with_file=with_file)


def test_what_has_no_article_part_is_missing(store: LocalStore) -> None:
    assert found(store)[2:] == (set(), ["c.xml", "d.xml"], [])
    assert found(store, without="c.xml")[2:] == ({"c"}, ["d.xml"], [])


def test_what_is_another_than_was_read_is_told(store: LocalStore) -> None:
    (Path(store.root).parent / "s" / "a.xml").write_text("other content")
    [why] = found(store).changed
    assert why.endswith("than the file of this name that was ingested before; give it another name")


@pytest.mark.parametrize("option", ["without", "with_file"])
def test_what_is_nowhere_cannot_be_left_out_or_taken_in(store: LocalStore, option: str) -> None:
    with pytest.raises(UsageError, match=r"nowhere.xml: neither the store nor the source has such a file"):
        found(store, **{option: "nowhere.xml"})
