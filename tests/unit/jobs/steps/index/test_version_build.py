"""What a build has to do; a store without vectors is refused."""

from pathlib import Path

import pytest

from jobs.steps.index.version_build import Build
from retrieval.articles.snapshot import compare_snapshots
from schemas.article import Article
from schemas.errors import StoreError
from tests.support.stores.made_store import MadeStore


@pytest.fixture
def store(tiny_encoder: Path, tmp_path: Path) -> MadeStore:
    """A store of made articles, with vectors and without a version."""
    made = MadeStore(tmp_path, tiny_encoder)
    made.publish([Article(pmid, title=f"title {pmid}") for pmid in range(1, 11)])
    return made


def test_of_a_night_the_changed_rows_are_the_work(store: MadeStore) -> None:
    before = Build(store.config, full=False).snapshot
    new = [Article(pmid) for pmid in (40, 41, 42, 43)]
    store.publish([Article(3, title="new"), *new, Article(5, deleted=True)])
    build = Build(store.config, full=False)
    work = build._work_of(compare_snapshots(store.files, before, build.snapshot))
    found = [(one.start, rows.tolist(), count) for one, rows, count in work if rows is not None]
    assert found == [(0, [0, 1, 2, 3], 4), (4, [4], 1)]


def test_without_vectors_there_is_nothing_to_build(store: MadeStore) -> None:
    for part in store.files.path("vectors").rglob("*.parquet"):
        part.unlink()
    with pytest.raises(StoreError, match="3 of 3 vector parts are not there; run pubray embed first"):
        Build(store.config, full=False).run()


def test_where_nothing_is_selected_embedding_is_not_what_helps(tiny_encoder: Path, tmp_path: Path) -> None:
    store = MadeStore(tmp_path, tiny_encoder)
    store.publish([Article(1, deleted=True)])
    with pytest.raises(StoreError, match=r"none of the articles is selected by selection\.rule = 'all'"):
        Build(store.config, full=False).run()
