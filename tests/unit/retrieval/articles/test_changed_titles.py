"""What is shown of a change, kind by kind."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.articles import changed_titles as module
from retrieval.articles.article import article_with_id
from retrieval.articles.changed_titles import SHOWN, changed_titles
from retrieval.files.parquet import read_range
from schemas.article import Article
from tests.support.stores.article_histories import Histories, deletion

BEFORE = [Article(pmid, title=f"title {pmid}") for pmid in range(1, 7)]
NIGHT = [
    Article(2, title="another"),
    Article(3, title="title 3", journal="another"),
    Article(4, title="title 4"),  # issued again
    deletion(5),
    deletion(9),  # was never there
    Article(8, title="new"),
]


def test_each_kind_of_change_is_shown_by_its_title(tmp_path: Path) -> None:
    histories = Histories(tmp_path)
    parts = histories.add_all([BEFORE])
    old = histories.snapshot(parts)
    night = histories.snapshot([*parts, histories.add("night", NIGHT)], old)
    assert changed_titles(histories.store, old, night) == {
        "added": {"8": "new"},
        "revised_text": {"2": "another"},
        "revised_metadata": {"3": "title 3"},
        "deleted": {"5": "title 5"},
    }
    assert changed_titles(histories.store, night, night) == {}


def test_what_a_file_deletes_and_brings_back_is_not_deleted(tmp_path: Path) -> None:
    histories = Histories(tmp_path)
    parts = histories.add_all([BEFORE])
    old = histories.snapshot(parts)
    files = [[Article(1, title="new")], [deletion(1), Article(1, title="back again"), deletion(6)]]
    night = histories.snapshot([*parts, *histories.add_all(files, "night")], old)
    found = changed_titles(histories.store, old, night)
    assert found == {"revised_text": {"1": "back again"}, "deleted": {"6": "title 6"}}


def test_of_a_first_file_some_are_shown_by_their_own_ids(tmp_path: Path) -> None:
    histories = Histories(tmp_path)
    first = histories.snapshot(histories.add_all([[article_with_id(f"doc{n}", f"t{n}", "") for n in range(9)]]))
    found = changed_titles(histories.store, None, first)
    assert list(found) == ["added"]
    assert len(found["added"]) == SHOWN
    assert all(title == f"t{id_.removeprefix('doc')}" for id_, title in found["added"].items())


def test_titles_of_one_part_are_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    histories = Histories(tmp_path)
    parts = histories.add_all([BEFORE])
    old = histories.snapshot(parts)
    night = histories.snapshot([*parts, histories.add("night", [deletion(pmid) for pmid in (1, 3, 6)])], old)
    read = list[list[str]]()

    def counted(file: pq.ParquetFile, start: int, stop: int, columns: list[str]) -> pa.Table:
        read.append(columns)
        return read_range(file, start, stop, columns)

    monkeypatch.setattr(module, "read_range", counted)
    found = changed_titles(histories.store, old, night)
    assert found == {"deleted": {"1": "title 1", "3": "title 3", "6": "title 6"}}
    assert read == [["pmid"], ["doc_id", "title"]]
