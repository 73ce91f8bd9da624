from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.articles import article as article_module
from retrieval.articles.article import (
    BATCH_ROWS,
    HASHED_KEY_BIT,
    Rejects,
    article_batch,
    article_batches,
    article_with_id,
    key_of_id,
    record_hash,
    text_hash,
    write_article_part,
)
from schemas.article import (
    ARTICLE_SCHEMA,
    AbstractSection,
    Article,
    Author,
    Correction,
    MeshHeading,
    OtherAbstract,
    Qualifier,
    Substance,
    Term,
)
from schemas.errors import InputError
from schemas.snapshot import SourceFile
from tests.support.stores.made_parts import GROUP, ROWS, records
from tests.support.stores.parquet_files import part_at, range_at

FULL = Article(
    pmid=7,
    doc_id="seven",
    version=2,
    title="A title",
    vernacular_title="Ein Titel",
    abstract="BACKGROUND: one\nRESULTS: two",
    abstract_sections=[AbstractSection("BACKGROUND", None, "one"), AbstractSection("RESULTS", "RESULTS", "two")],
    other_abstracts=[OtherAbstract("Publisher", "ger", "eins")],
    journal="Journal",
    journal_abbreviation="J",
    issns=["0028-0836"],
    nlm_id="0410462",
    volume="1",
    issue="2",
    pages="3-4",
    publication_date="2021-06",
    year=2021,
    languages=["eng"],
    publication_types=[Term("D016428", "Journal Article")],
    mesh=[MeshHeading("D003042", "Cocaine", False, [Qualifier("Q000378", "metabolism", True)])],
    keywords=["k"],
    substances=[Substance("D003042", "Cocaine", "I5Y540LHVR")],
    authors=[
        Author("Last", "Fore", "F", "Jr", None, "0000-0002-1825-0097", ["Here"]),
        Author(collective_name="G", affiliations=[]),
    ],
    grant_agencies=["NIH"],
    doi="10.1/x",
    pmcid="PMC1",
    corrections=[Correction("ErratumIn", 9), Correction("CommentIn", None)],
    status="MEDLINE",
    date_completed="2021-07-01",
    date_revised="2021-07-02",
)
# One change of each field that the hash covers, and some within fields.
CHANGES: list[dict[str, Any]] = [
    {"pmid": 8},
    {"doc_id": None},
    {"version": 1},
    {"deleted": True},
    {"unusable": True},
    {"book": True},
    {"title": "B title"},
    {"vernacular_title": None},
    {"abstract": ""},
    {"abstract_sections": []},
    {"abstract_sections": [AbstractSection("BACKGROUND", None, "one"), AbstractSection("RESULTS", None, "two")]},
    {"other_abstracts": [OtherAbstract("Publisher", "fre", "eins")]},
    {"journal": ""},
    {"journal_abbreviation": None},
    {"issns": []},
    {"nlm_id": None},
    {"volume": "2"},
    {"issue": "1"},
    {"pages": None},
    {"publication_date": None},
    {"year": None},
    {"languages": []},
    {"publication_types": [Term("D016441", "Journal Article")]},
    {"mesh": [MeshHeading("D003042", "Cocaine", True, [Qualifier("Q000378", "metabolism", True)])]},
    {"mesh": [MeshHeading("D003042", "Cocaine", False, [Qualifier("Q000378", "metabolism", False)])]},
    {"keywords": ["k", "l"]},
    {"substances": [Substance("D003042", "Cocaine", None)]},
    {"authors": [Author("Last", "Fore", "F", "Jr", None, None, ["Here"]), Author(collective_name="G")]},
    {"grant_agencies": []},
    {"doi": ""},
    {"doi": None},
    {"pmcid": None},
    {"corrections": [Correction("ErratumIn", 9)]},
    {"retracted": True},
    {"status": "In-Process"},
    {"date_completed": None},
]


def test_hashes_are_golden_so_that_a_stored_article_part_never_looks_revised() -> None:
    assert text_hash("A title", "BACKGROUND: one") == 17154263283288286971
    assert record_hash(FULL) == 13243383785944177398


def test_text_hash_keeps_title_and_abstract_apart() -> None:
    assert len({text_hash("ab", "c"), text_hash("a", "bc"), text_hash("", "abc"), text_hash("abc", "")}) == 4


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_record_hash_covers_every_field(change: dict[str, Any]) -> None:
    assert record_hash(FULL._replace(**change)) != record_hash(FULL)


def test_record_hash_leaves_out_only_the_date_of_revision() -> None:
    assert record_hash(FULL._replace(date_revised=None)) == record_hash(FULL)
    assert {*Article._fields} - {name for change in CHANGES for name in change} == {"date_revised"}


def test_record_hash_does_not_tell_lists_from_tuples() -> None:
    assert record_hash(FULL._replace(mesh=tuple(FULL.mesh), authors=tuple(FULL.authors))) == record_hash(FULL)


def test_record_hash_keeps_none_and_empty_apart() -> None:
    assert record_hash(FULL._replace(doi=None)) != record_hash(FULL._replace(doi=""))


@pytest.mark.parametrize("doc_id", ["0", "1", "34097368", str(2**62 - 1)])
def test_a_canonical_decimal_is_its_own_key(doc_id: str) -> None:
    assert key_of_id(doc_id) == int(doc_id)


@pytest.mark.parametrize("doc_id", ["", "007", "-1", "+1", " 1", "1.0", "१", "MED-10", str(2**62), "9" * 30])
def test_any_other_id_gets_a_key_that_is_no_number(doc_id: str) -> None:
    assert HASHED_KEY_BIT <= key_of_id(doc_id) < 2**63


@settings(max_examples=30)
@given(st.lists(st.text(max_size=4), unique=True))
def test_different_ids_have_different_keys(doc_ids: list[str]) -> None:
    assert len({key_of_id(doc_id) for doc_id in doc_ids}) == len(doc_ids)


def test_an_id_is_kept_only_where_the_key_does_not_say_it() -> None:
    assert article_with_id("12", "t", "").doc_id is None
    assert article_with_id("012", "t", "").doc_id == "012"


def test_an_article_without_text_is_unusable() -> None:
    assert [article_with_id("1", title, abstract).unusable for title, abstract in [("", ""), ("t", ""), ("", "a")]] == [
        True,
        False,
        False,
    ]


def plain(value: Any) -> Any:
    """Named tuples as dictionaries, as Arrow gives them back."""
    if isinstance(value, tuple):
        return {name: plain(part) for name, part in value._asdict().items()}  # type: ignore[attr-defined]
    return [plain(part) for part in value] if isinstance(value, list) else value


def test_a_batch_holds_every_field() -> None:
    (row,) = article_batch([FULL]).to_pylist()
    assert (row.pop("text_hash"), row.pop("record_hash")) == (text_hash(FULL.title, FULL.abstract), record_hash(FULL))
    assert row == plain(FULL)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("abstract_sections", AbstractSection),
        ("other_abstracts", OtherAbstract),
        ("publication_types", Term),
        ("mesh", MeshHeading),
        ("substances", Substance),
        ("authors", Author),
        ("corrections", Correction),
    ],
)
def test_fields_and_columns_have_one_order(column: str, kind: Any) -> None:
    assert [*Article._fields, "text_hash", "record_hash"] == ARTICLE_SCHEMA.names
    assert [field.name for field in ARTICLE_SCHEMA.field(column).type.value_type] == [*kind._fields]


def test_rows_of_a_batch_keep_their_own_lists() -> None:
    articles = [Article(number, title="t", keywords=["k"] * number) for number in range(4)]
    assert article_batch(articles)["keywords"].to_pylist() == [["k"] * number for number in range(4)]


def test_no_articles_are_a_batch_without_rows() -> None:
    assert article_batch([]).schema == ARTICLE_SCHEMA
    assert article_batch([]).num_rows == 0


def test_a_deletion_is_an_empty_row() -> None:
    (row,) = article_batch([Article(9, deleted=True)]).to_pylist()
    kept = {name: value for name, value in row.items() if value not in (None, "", [], 0)}
    assert kept == {"pmid": 9, "version": 1, "deleted": True}


def test_batches_are_bounded_and_lose_nothing() -> None:
    batches = list(article_batches(Article(number, title="t") for number in range(BATCH_ROWS + 1)))
    assert [batch.num_rows for batch in batches] == [BATCH_ROWS, 1]
    assert batches[1]["pmid"].to_pylist() == [BATCH_ROWS]
    assert all(batch.schema == ARTICLE_SCHEMA for batch in batches)


def test_rejects_count_all_and_name_a_few() -> None:
    rejects = Rejects()
    for number in range(8):
        rejects.add("no PMID", f"record {number}")
    assert rejects == Rejects({"no PMID": 8}, {"no PMID": [f"record {number}" for number in range(5)]})


def test_rejects_add() -> None:
    one, two = Rejects(), Rejects()
    one.add("a", "1")
    two.add("a", "2")
    two.add("b", "3")
    assert one + two == Rejects({"a": 2, "b": 1}, {"a": ["1", "2"], "b": ["3"]})
    assert one == Rejects({"a": 1}, {"a": ["1"]})


def test_an_article_part_holds_the_records_and_says_so_in_its_footer(tmp_path: Path) -> None:
    batch = records([3, 5, 2])
    rejects = Rejects({"no PMID": 2}, {"no PMID": ["record 7", "record 9"]})
    path = tmp_path / "a.parquet"
    written = write_article_part(path, "pubmed20n0014", [batch], SourceFile(123, 7, "d"), rejects)
    assert (written.ref.name, written.ref.rows, written.ref.deletions) == ("pubmed20n0014", 3, 1)
    assert (written.source, written.rejects) == (SourceFile(123, 7, "d"), rejects)
    assert part_at(path) == written
    found = range_at(path, 0, 3, ARTICLE_SCHEMA.names)
    assert found.equals(pa.Table.from_batches([batch]))
    assert found["doi"].to_pylist() == [None, None, "10.1/2"]


def test_rejects_are_those_known_when_the_last_batch_was_read(tmp_path: Path) -> None:
    rejects = Rejects()

    def batches() -> Iterator[pa.RecordBatch]:
        yield records([1])
        rejects.add("no PMID", "record 2")

    write_article_part(tmp_path / "a.parquet", "a", batches(), SourceFile(1), rejects)
    assert part_at(tmp_path / "a.parquet").rejects.counts == {"no PMID": 1}


def test_a_source_that_breaks_off_is_told(tmp_path: Path) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield records([1])
        raise InputError("a.xml breaks off")

    with pytest.raises(InputError, match="breaks off"):
        write_article_part(tmp_path / "a.parquet", "a", batches(), SourceFile(1), Rejects())


def test_a_source_without_records_makes_a_part(tmp_path: Path) -> None:
    written = write_article_part(tmp_path / "a.parquet", "a", [], SourceFile(1), Rejects())
    assert (written.ref.rows, written.ref.deletions) == (0, 0)
    assert part_at(tmp_path / "a.parquet") == written
    assert len(range_at(tmp_path / "a.parquet", 0, 0, ["pmid"])) == 0


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(0, ROWS), max_size=6).map(sorted))
def test_batches_of_any_size_make_the_same_part(
    cuts: list[int], part: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("batches") / "part.parquet"
    whole = records(list(range(ROWS)))
    edges = [0, *cuts, ROWS]
    batches = [whole.slice(a, b - a) for a, b in pairwise(edges)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(article_module, "ROW_GROUP", GROUP)
        written = write_article_part(path, "part", batches, SourceFile(1), Rejects())
    assert written == part_at(part)
    metadata = pq.read_metadata(path)
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert sizes == [GROUP, GROUP, GROUP, ROWS - 3 * GROUP]
    assert range_at(path, 0, ROWS, ["pmid"])["pmid"].to_pylist() == list(range(ROWS))


@pytest.mark.parametrize("column", ["pmid", "deleted", "unusable", "record_hash"])
def test_the_digest_changes_with_a_record(column: str, tmp_path: Path) -> None:
    batch = records([1, 2])
    changed = {"pmid": [1, 4], "deleted": [True, False], "unusable": [False, True], "record_hash": [0, 9]}[column]
    position = batch.schema.get_field_index(column)
    other = batch.set_column(position, batch.schema.field(column), pa.array(changed, batch.schema.field(column).type))
    digests = {
        write_article_part(tmp_path / "a.parquet", "a", [b], SourceFile(1), Rejects()).ref.digest
        for b in (batch, other, batch)
    }
    assert len(digests) == 2
