import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from retrieval.articles.article import Article, Author, MeshHeading, Qualifier, Term, article_batch
from retrieval.rows.display import DisplayReader
from retrieval.rows.kept_columns import RECORD_SCHEMA, kept_of
from schemas.article import DisplayArticle
from tests.support.examples import examples

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
)
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
        )
    ]


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
            }
        )
        for record in (table().slice(row, 1).to_pylist()[0] for row in rows)
    ]
    assert DisplayReader(table()).read(np.array(rows, np.int64)) == expected


def test_an_article_without_them_has_none_of_the_lists() -> None:
    [article] = DisplayReader(table()).read(np.array([0]))
    assert article == DisplayArticle(0, None, "", "")
