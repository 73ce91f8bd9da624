from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from actors.store.local_store import LocalStore
from actors.train.training_texts import TrainingTexts, write_texts
from retrieval.articles import article
from schemas.article import Article
from schemas.errors import IntegrityError
from schemas.protocols import ArticleText
from tests.support.stores.store_files import add_part, add_snapshot

FIRST = [Article(pmid, title=f"title {pmid}", abstract=f"first {pmid}") for pmid in range(1, 12)]
SECOND = [
    Article(3, version=2, title="title 3", abstract="second 3"),
    Article(20, title="new"),
    Article(5, deleted=True),
]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "store"))


def test_texts_are_those_that_are_alive(store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(article, "ROW_GROUP", 4)
    snapshot = add_snapshot(store, [add_part(store, "a", *FIRST), add_part(store, "b", *SECOND)])
    write_texts(store, snapshot, [], np.array([1, 3, 5, 10, 20]), tmp_path / "texts.arrow")
    texts = TrainingTexts(tmp_path / "texts.arrow")
    wanted = [("title 3", "second 3"), ("new", ""), ("title 10", "first 10"), ("title 3", "second 3")]
    assert texts.read(np.array([3, 20, 10, 3])) == [ArticleText(*of) for of in wanted]
    for gone in (5, 2, 99):
        with pytest.raises(KeyError, match=f"article {gone} is not alive"):
            texts.read(np.array([1, gone]))


def test_another_part_than_that_of_the_snapshot_is_refused(store: LocalStore, tmp_path: Path) -> None:
    snapshot = add_snapshot(store, [add_part(store, "a", *FIRST)])
    add_part(store, "a", *reversed(FIRST))
    with pytest.raises(IntegrityError, match="not what snapshot"):
        write_texts(store, snapshot, [], np.array([1]), tmp_path / "texts.arrow")
    assert not (tmp_path / "texts.arrow").exists()


def test_a_few_texts_of_many_are_read_without_the_others(store: LocalStore, tmp_path: Path) -> None:
    articles = [Article(pmid, title="t", abstract="x" * 10_000) for pmid in range(1, 401)]
    parts = [
        add_part(store, name, *articles[begin : begin + 100])
        for begin, name in ((0, "a"), (100, "b"), (200, "c"), (300, "d"))
    ]
    write_texts(store, add_snapshot(store, parts), [], np.arange(1, 401), tmp_path / "texts.arrow")
    texts, pool = TrainingTexts(tmp_path / "texts.arrow"), pa.default_memory_pool()
    counted = pa.proxy_memory_pool(pool)
    pa.set_memory_pool(counted)
    try:
        assert len(texts.read(np.array([7, 250, 399]))) == 3
        assert counted.max_memory() < 400_000
    finally:
        pa.set_memory_pool(pool)
