from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.articles.article import Rejects, article_batch, write_article_part
from retrieval.files.parquet import opened
from retrieval.rows.records import KEPT_COLUMNS, DisplayReader, author_names, kept_of, read_kept, record_schema
from schemas.article import (
    ARTICLE_SCHEMA,
    Article,
    Author,
    Correction,
    DisplayArticle,
    MeshHeading,
    Qualifier,
    RelatedArticle,
    Term,
)
from schemas.formats import FORMATS, NEWEST
from schemas.snapshot import SourceFile
from tests.support.examples import examples

RECORD_SCHEMA = record_schema(NEWEST)
NAME = st.none() | st.sampled_from(["Lovelace", "de la Cruz", "Ødegård"])
AUTHORS = st.one_of(
    st.tuples(NAME, NAME | st.just("")).map(lambda drawn: Author("King", None, *drawn)),
    st.sampled_from(["The WHO Group", "A, B and C"]).map(lambda name: Author(collective_name=name)),
)


def column(articles: list[list[Author]]) -> pa.ListArray:
    return article_batch([Article(i, title="t", authors=authors) for i, authors in enumerate(articles)])["authors"]


def cited(author: Author) -> str:
    if author.collective_name:
        return author.collective_name
    return " ".join(part for part in (author.last_name, author.initials, author.suffix) if part)


@pytest.mark.parametrize(
    ("author", "name"),
    [
        (Author("Lovelace", "Ada King", "AK", affiliations=["London"]), "Lovelace AK"),
        (Author("King", "Martin Luther", "ML", "Jr"), "King ML Jr"),
        (Author("Suharto"), "Suharto"),
        (Author(collective_name="The ALSPAC Study Team"), "The ALSPAC Study Team"),
        (Author("Lovelace", collective_name=""), "Lovelace"),
        (Author(initials="AK"), "AK"),
        (Author(orcid="0000-0002-1825-0097"), ""),
    ],
)
def test_an_author_is_named_as_nlm_cites_him(author: Author, name: str) -> None:
    assert author_names(column([[author]])).to_pylist() == [[name]]


@given(st.lists(st.lists(AUTHORS, max_size=4), max_size=8), st.integers(0, 8), st.integers(0, 8))
def test_authors_stay_with_their_article_in_their_order(articles: list[list[Author]], start: int, length: int) -> None:
    named = author_names(column(articles).slice(start, length))
    assert named.to_pylist() == [[cited(author) for author in authors] for authors in articles[start : start + length]]


def test_records_are_read_from_an_article_part_without_affiliations(tmp_path: Path) -> None:
    author = Author("Lovelace", "Ada", "AK", None, None, "0000", ["London"] * 3)
    batch = article_batch([Article(i, title=f"Title {i}", authors=[author] * i, doi="10.1/x") for i in range(9)])
    write_article_part(tmp_path / "a.parquet", "a", [batch], SourceFile(1), Rejects())
    with opened(tmp_path / "a.parquet") as file:
        table = read_kept(file, 2, 5)
    assert table.cast(RECORD_SCHEMA).schema.equals(RECORD_SCHEMA)
    assert table["title"].to_pylist() == ["Title 2", "Title 3", "Title 4"]
    assert table["authors"].to_pylist() == [["Lovelace AK"] * i for i in range(2, 5)]
    whole = kept_of(pq.read_table(tmp_path / "a.parquet"))
    assert whole.slice(2, 3).cast(RECORD_SCHEMA).equals(table.cast(RECORD_SCHEMA))


def test_a_record_keeps_what_an_answer_and_a_filter_need() -> None:
    assert {*DisplayArticle._fields} <= {*RECORD_SCHEMA.names}
    assert all(RECORD_SCHEMA.field(name).equals(ARTICLE_SCHEMA.field(name)) for name in KEPT_COLUMNS)
    assert not {"deleted", "unusable"} & {*RECORD_SCHEMA.names}


HEADING = MeshHeading("D1", "Aspirin", True, [Qualifier("Q1", "therapeutic use", False)])
WHOLE = Article(
    7,
    doc_id="MED-7",
    title="Ünïcode",
    abstract="A",
    journal="J",
    publication_date="2021-06",
    year=2021,
    doi="10.1000/x",
    authors=[Author("Lovelace", initials="AK"), Author(collective_name="The Group")],
    retracted=True,
    publication_types=[Term("D016428", "Journal Article"), Term(None, "Review")],
    mesh=[HEADING, HEADING._replace(descriptor="Stroke")],
    languages=["eng", "fre"],
    corrections=[Correction("ErratumIn", 8), Correction("CommentIn", None)],
)
CORRECTIONS = (RelatedArticle(type="ErratumIn", pmid=8), RelatedArticle(type="CommentIn", pmid=None))
COUNT = 30


def table() -> pa.Table:
    """Of three batches; every other article is bare."""
    articles = [WHOLE._replace(pmid=i, languages=["eng"] * i) if i % 2 else Article(i) for i in range(COUNT)]
    whole = kept_of(pa.Table.from_batches([article_batch(articles)])).cast(RECORD_SCHEMA)
    return pa.concat_tables([whole[:7], whole[7:7], whole[7:20], whole[20:]])


def test_all_that_is_shown_is_read() -> None:
    reader = DisplayReader(kept_of(pa.Table.from_batches([article_batch([WHOLE])])))
    assert reader.read(np.array([0])) == [
        DisplayArticle(
            pmid=7,
            doc_id="MED-7",
            title="Ünïcode",
            abstract="A",
            journal="J",
            publication_date="2021-06",
            year=2021,
            doi="10.1000/x",
            authors=("Lovelace AK", "The Group"),
            retracted=True,
            publication_types=("Journal Article", "Review"),
            mesh=("Aspirin", "Stroke"),
            languages=("eng", "fre"),
            corrections=CORRECTIONS,
        )
    ]


def test_a_column_that_a_segment_lacks_is_not_known() -> None:
    of_first = kept_of(pa.Table.from_batches([article_batch([WHOLE])])).select(FORMATS[1].columns)
    [article] = DisplayReader(of_first).read(np.array([0]))
    assert (article.corrections, article.languages) == (None, ("eng", "fre"))
    assert of_first.cast(record_schema(1)).schema.equals(record_schema(1))


@examples(30, whole=100)
@given(st.lists(st.integers(0, COUNT - 1), max_size=8))
def test_rows_are_read_in_their_order_whatever_batch_they_are_in(rows: list[int]) -> None:
    expected = [
        DisplayArticle(
            **{
                **{name: record[name] for name in DisplayArticle._fields},
                "authors": tuple(record["authors"]),
                "publication_types": tuple(term["name"] for term in record["publication_types"]),
                "mesh": tuple(heading["descriptor"] for heading in record["mesh"]),
                "languages": tuple(record["languages"]),
                "corrections": tuple(RelatedArticle(**one) for one in record["corrections"]),
            }
        )
        for record in (table().slice(row, 1).to_pylist()[0] for row in rows)
    ]
    assert DisplayReader(table()).read(np.array(rows, np.int64)) == expected


def test_an_article_without_them_has_none_of_the_lists() -> None:
    [article] = DisplayReader(table()).read(np.array([0]))
    assert article == DisplayArticle(0, None, "", "", corrections=())
