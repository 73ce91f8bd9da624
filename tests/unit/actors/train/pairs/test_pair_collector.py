from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.store.local_store import LocalStore
from actors.train.pairs.pair_collector import PairCollector
from retrieval.articles.snapshot import read_snapshot
from retrieval.embed.vector_parts import row_ranges
from retrieval.train.pairs.equal_texts import EqualTexts
from retrieval.train.pairs.linked_articles import LinkedArticles
from retrieval.train.pairs.pair_sets import pair_table
from schemas.article import Article, Correction, MeshHeading
from schemas.config import Config
from schemas.pair import PAIR_SCHEMA
from tests.support.models import tiny
from tests.support.stores.store_files import add_part, add_snapshot, config

ABSTRACT = (
    "Statins lowered the pain of muscles in nine of ten old mice that were given them for a week or longer by us."
)
ARTICLES = [
    Article(pmid, title=f"Statins in {pmid} old mice", abstract=f"{ABSTRACT} {pmid}.", keywords=["statin", "pain"])
    for pmid in range(1, 41)
]
TWIN = Article(50, title=ARTICLES[6].title, abstract=ARTICLES[6].abstract)
OTHERS = [TWIN, Article(60, title="A title without an abstract"), Article(2, deleted=True)]


@pytest.fixture
def made(tmp_path: Path, tiny_encoder: Path) -> tuple[Config, str]:
    store = LocalStore(str(tmp_path))
    snapshot = add_snapshot(store, [add_part(store, "a", *ARTICLES), add_part(store, "b", *OTHERS)])
    return config(
        tmp_path, encoder=tiny.spec(tiny_encoder), mine={"signals": ["title", "keywords"], "held_out": 0.5}
    ), snapshot.id


def collected(
    made: tuple[Config, str], excluded: list[int], rows: int = 8, linked: bool = False
) -> list[dict[str, Any]]:
    config, snapshot = made
    store = LocalStore(config.store)
    equal = EqualTexts.of(store, read_snapshot(store, snapshot))
    ranges = [*row_ranges(read_snapshot(store, snapshot).info.parts, rows)]
    given = config, snapshot, "abstract", equal, np.array(excluded, np.int64)
    links = LinkedArticles.of(PairCollector(*given).topics(one) for one in ranges) if linked else None
    collector = PairCollector(*given, links)
    tables = [collector.collect(one) for one in ranges]
    assert all(table.schema.equals(PAIR_SCHEMA) for table in tables)
    return [row for table in tables for row in table.to_pylist()]


def test_pairs_are_of_the_articles_that_are_alive_and_selected(made: tuple[Config, str]) -> None:
    rows = collected(made, [])
    titles = {row["pmid"] for row in rows if row["signal"] == "title"}
    assert titles == {*range(1, 41), 50} - {2}
    assert {row["pmid"] for row in rows if row["signal"] == "keywords"} == titles - {50}
    assert len({row["query_id"] for row in rows if row["signal"] == "keywords"}) == 1


def test_equal_texts_are_on_one_side_and_both_sides_are_there(made: tuple[Config, str]) -> None:
    sides = {row["pmid"]: row["split"] for row in collected(made, [])}
    assert sides[50] == sides[7]
    assert {*sides.values()} == {"train", "held-out"}


def test_what_is_measured_by_is_left_out_with_what_has_its_text(made: tuple[Config, str]) -> None:
    assert {7, 50} <= {row["pmid"] for row in collected(made, [8])}
    assert not {7, 8, 50} & {row["pmid"] for row in collected(made, [8, 50])}


def test_ranges_of_another_size_give_the_same_pairs(made: tuple[Config, str]) -> None:
    assert collected(made, [], rows=8) == collected(made, [], rows=1000)


def test_no_articles_give_no_pairs(made: tuple[Config, str]) -> None:
    config, snapshot = made
    config = config.with_values(mine={"signals": ["mesh"]})
    assert collected((config, snapshot), []) == pair_table([]).to_pylist()


HEADINGS = [MeshHeading(None, name, True, ()) for name in ("Mice", "Pain")]
COMMENTS = [
    *(
        Article(100 + n, title=f"Doubts about number {n}", corrections=[Correction("CommentOn", n)])
        for n in range(1, 41)
    ),
    Article(200, title="Doubts about nothing here", corrections=[Correction("CommentOn", 999)]),
    Article(201, title="Doubts about a title", corrections=[Correction("CommentOn", 60)]),
]


def test_other_articles_answer_too_where_they_are_there_and_on_the_same_side(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    store = LocalStore(str(tmp_path))
    articles = [article._replace(mesh=HEADINGS) for article in ARTICLES]
    snapshot = add_snapshot(store, [add_part(store, "a", *articles), add_part(store, "b", *OTHERS, *COMMENTS)]).id
    mine = {"signals": ["mesh", "topics", "comment"], "held_out": 0.5}
    own = config(tmp_path, encoder=tiny.spec(tiny_encoder), mine=mine)
    rows = collected((own, snapshot), [8], linked=True)
    assert rows == collected((own, snapshot), [8], rows=1000, linked=True)
    sides = {row["pmid"]: row["split"] for row in rows if row["signal"] == "mesh"}
    comments = {row["pmid"]: row for row in rows if row["signal"] == "comment"}
    assert len(comments) > 10
    assert not {2, 8, 60, 999} & {*comments}  # deleted, excluded, not selected, not there
    assert all(row["query"] == f"Doubts about number {pmid}" for pmid, row in comments.items())
    topics = {row["query"]: row for row in rows if row["signal"] == "topics"}
    assert len(topics) > 10
    assert all(row["query"] != f"Statins in {row['pmid']} old mice" for row in topics.values())
    for row in [*comments.values(), *topics.values()]:
        assert row["split"] == sides[row["pmid"]]
    assert collected((own, snapshot), [8]) == [row for row in rows if row["signal"] == "mesh"]
