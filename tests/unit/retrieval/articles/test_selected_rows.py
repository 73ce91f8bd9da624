from pathlib import Path

import numpy as np
import pytest

from actors.store.local_store import LocalStore
from retrieval.articles.selected_rows import read_selected
from schemas.article import Article
from schemas.config import SelectionConfig
from schemas.errors import IntegrityError
from schemas.vector import RowRange
from tests.support.stores.store_files import add_part, add_snapshot

COLUMNS = ["pmid", "title", "abstract"]
ARTICLES = [Article(pmid, title="t", abstract="a" if pmid % 2 else "") for pmid in range(1, 9)]


def test_rows_are_wanted_that_are_alive_and_selected(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    newer = [Article(3, title="t", abstract="anew"), Article(5, deleted=True)]
    snapshot = add_snapshot(store, [add_part(store, "a", *ARTICLES), add_part(store, "b", *newer)])
    rows = RowRange(source=snapshot.info.parts[0].name, start=2, stop=8, history="")
    articles, with_abstract = read_selected(store, snapshot, rows, COLUMNS, SelectionConfig(rule="abstract"), None)
    assert articles.column_names == COLUMNS
    assert articles["pmid"].to_pylist() == [3, 4, 5, 6, 7, 8]
    assert articles.filter(with_abstract)["pmid"].to_pylist() == [7]  # 3 is newer elsewhere, 5 was deleted
    _, listed = read_selected(store, snapshot, rows, COLUMNS, SelectionConfig(rule="abstract"), np.array([3, 4, 8]))
    assert articles.filter(listed)["pmid"].to_pylist() == [4, 8]


def test_a_part_that_was_made_again_is_refused(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    snapshot = add_snapshot(store, [add_part(store, "a", *ARTICLES)])
    add_part(store, "a", *reversed(ARTICLES))
    rows = RowRange(source=snapshot.info.parts[0].name, start=0, stop=8, history="")
    with pytest.raises(IntegrityError, match="not what snapshot"):
        read_selected(store, snapshot, rows, COLUMNS, SelectionConfig(), None)
