from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from actors.store.local_store import LocalStore
from actors.train.pairs.given_pairs import UNKNOWN, given_table, write_given_texts
from actors.train.training_texts import TEXT_SCHEMA
from retrieval.articles.snapshot import Snapshot
from retrieval.train.pairs.equal_texts import EqualTexts
from retrieval.train.pairs.pair_files import GivenPair, GivenPairs
from schemas.article import Article
from schemas.protocols import ArticleText
from tests.support.stores.store_files import add_part, add_snapshot

ARTICLES = [Article(pmid, title=f"title {pmid}", abstract="of mice") for pmid in (1, 2, 3)]
TWIN = Article(4, title="title 1", abstract="of mice")
OWN = 1 << 61
NONE = np.empty(0, np.int64)


@pytest.fixture
def made(tmp_path: Path) -> tuple[LocalStore, Snapshot]:
    store = LocalStore(str(tmp_path))
    return store, add_snapshot(store, [add_part(store, "a", *ARTICLES, TWIN)])


def given() -> GivenPairs:
    pairs = [
        GivenPair("one", 1, 2.0, (2, 9)),
        GivenPair("two", 9),
        GivenPair("own", OWN, 1.0, (3, 2), "Find it", (0.75, 0.5, 0.25)),
        GivenPair("twin", 4),
    ]
    texts = {OWN: ArticleText("", "text of the file"), 1: ArticleText("another", "title")}
    return GivenPairs(pairs, texts)


def test_articles_of_the_store_and_texts_of_the_file_make_pairs(made: tuple[LocalStore, Snapshot]) -> None:
    found = given()
    rows = given_table(*made, found, EqualTexts.of(*made), NONE, 0.5).to_pylist()
    assert [(row["query"], row["pmid"], row["weight"], row["negatives"]) for row in rows] == [
        ("one", 1, 2.0, [2]),
        ("own", OWN, 1.0, [2]),  # 3 is held out
        ("twin", 4, 1.0, []),
    ]
    assert rows[1]["instruction"] == "Find it"
    assert rows[1]["scores"] == [0.75, 0.25]
    assert rows[0]["split"] == rows[2]["split"]  # they have one text
    assert found.skipped == {UNKNOWN: 1}
    assert found.texts == {OWN: ArticleText("", "text of the file")}  # the store's own text is what counts


def test_what_is_measured_by_is_left_out_with_its_twin_and_among_negatives(made: tuple[LocalStore, Snapshot]) -> None:
    found = given()
    rows = given_table(*made, found, EqualTexts.of(*made), np.array([1, 3]), 0.5).to_pylist()
    assert [(row["query"], row["negatives"]) for row in rows] == [("own", [2])]
    assert found.skipped == {"an article that is excluded": 2, UNKNOWN: 1}


def test_the_texts_are_written_as_those_of_articles_are_read(tmp_path: Path) -> None:
    write_given_texts(tmp_path / "texts.parquet", {7: ArticleText("a", "b"), 3: ArticleText("", "c")})
    table = pq.read_table(tmp_path / "texts.parquet")
    assert table.schema.equals(TEXT_SCHEMA)
    assert table.to_pylist() == [{"pmid": 3, "title": "", "abstract": "c"}, {"pmid": 7, "title": "a", "abstract": "b"}]


def test_a_text_of_the_file_that_the_store_has_is_that_article(made: tuple[LocalStore, Snapshot]) -> None:
    texts = {OWN: ArticleText("title 1", "of mice"), OWN + 1: ArticleText("title 2", "of mice")}
    found = GivenPairs([GivenPair("one", OWN, 1.0, (OWN + 1,))], texts)
    [row] = given_table(*made, found, EqualTexts.of(*made), NONE, 0.0).to_pylist()
    assert (row["pmid"], row["negatives"], found.texts) == (1, [2], {})
    found = GivenPairs([GivenPair("one", OWN, 1.0, (OWN + 1,))], dict(texts))
    assert not len(given_table(*made, found, EqualTexts.of(*made), np.array([4]), 0.0))  # it has the text of 1
