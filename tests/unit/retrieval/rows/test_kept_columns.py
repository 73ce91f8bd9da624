from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.articles.article import Article, Author, Rejects, article_batch
from retrieval.articles.article_parts import write_article_part
from retrieval.rows.facets import FACET_COLUMNS
from retrieval.rows.kept_columns import KEPT_COLUMNS, RECORD_SCHEMA, author_names, kept_of, read_kept
from schemas.article import ARTICLE_SCHEMA, DisplayArticle

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
    write_article_part(str(tmp_path / "a.parquet"), [batch], 1, Rejects())
    table = read_kept(str(tmp_path / "a.parquet"), 2, 5)
    assert table.cast(RECORD_SCHEMA).schema.equals(RECORD_SCHEMA)
    assert table["title"].to_pylist() == ["Title 2", "Title 3", "Title 4"]
    assert table["authors"].to_pylist() == [["Lovelace AK"] * i for i in range(2, 5)]
    whole = kept_of(pq.read_table(tmp_path / "a.parquet"))
    assert whole.slice(2, 3).cast(RECORD_SCHEMA).equals(table.cast(RECORD_SCHEMA))


def test_a_record_keeps_what_an_answer_and_a_filter_need() -> None:
    assert {*DisplayArticle._fields, *FACET_COLUMNS} <= {*RECORD_SCHEMA.names}
    assert all(RECORD_SCHEMA.field(name).equals(ARTICLE_SCHEMA.field(name)) for name in KEPT_COLUMNS)
    assert not {"deleted", "unusable"} & {*RECORD_SCHEMA.names}
