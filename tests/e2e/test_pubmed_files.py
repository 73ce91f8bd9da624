"""The two real files of the demo: what they hold, by the reader and by a count of tags in the text.

Every record with `--whole`, else a fixed sample of them, and all deletions.
"""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from isal import igzip
from isal.igzip import IGzipFile

from actors.fetch.embedded_wheels import embedded_folder
from retrieval.articles.article import Rejects
from retrieval.ingest.readers import open_source
from schemas.article import ARTICLE_SCHEMA

CACHE = Path("~/.cache/pubray").expanduser()
"""The user's own, so that the files are downloaded once and not by every run."""
STEP = 15
"""The sample has every record of so many."""
END = b"</PubmedArticle>"


class Source(NamedTuple):
    """A file as text, and as it was read."""

    xml: bytes
    """Without the lists of references."""
    records: list[bytes]
    table: pa.Table
    rejects: Rejects


def read(name: str, whole: bool, folder: Path) -> Source:
    path, rejects = embedded_folder("pubmed", CACHE) / name, Rejects()
    with IGzipFile(path, "rb") as file:  # type: ignore[no-untyped-call]
        *records, rest = file.read().split(END)
    if not whole:
        records, path = records[::STEP], folder / name
        path.write_bytes(igzip.compress(END.join([*records, rest])))
    with open_source(path, rejects) as batches:
        table = pa.Table.from_batches(batches, ARTICLE_SCHEMA)
    *records, rest = [text.partition(b"<ReferenceList>")[0] for text in (*records, rest)]
    return Source(b"".join([*records, rest]), records, table, rejects)


@pytest.fixture(scope="module")
def baseline(whole: bool, tmp_path_factory: pytest.TempPathFactory) -> Source:
    return read("pubmed20n0014.xml.gz", whole, tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def update(whole: bool, tmp_path_factory: pytest.TempPathFactory) -> Source:
    return read("pubmed21n1298.xml.gz", whole, tmp_path_factory.mktemp("sample"))


def column(source: Source, name: str) -> list[object]:
    return source.table[name].to_pylist()


def items(source: Source, name: str) -> pa.Array:
    return pc.list_flatten(source.table[name])


@pytest.mark.whole
def test_the_baseline_file_holds_thirty_thousand_articles(baseline: Source) -> None:
    assert (len(baseline.table), baseline.rejects) == (30_000, Rejects())
    assert pc.sum(baseline.table["deleted"]).as_py() == pc.sum(baseline.table["unusable"]).as_py() == 0
    assert len(items(baseline, "mesh")) == 288_334
    assert set(column(baseline, "version")) == {1}


@pytest.mark.whole
def test_the_update_file_holds_articles_then_deletions(update: Source) -> None:
    assert column(update, "deleted") == [False] * 20_788 + [True] * 20
    assert update.rejects == Rejects(
        {"neither title nor abstract": 1},
        {"neither title nor abstract": ["pubmed21n1298.xml.gz record 7,788, PMID 33977567"]},
    )
    assert update.table.filter(update.table["unusable"])["pmid"].to_pylist() == [33977567]
    assert update.table["unusable"][7787].as_py()


@pytest.mark.whole
def test_an_article_in_several_versions_has_a_row_for_each(update: Source) -> None:
    later = update.table.filter(pc.greater(update.table["version"], 1)).select(["pmid", "version"])
    assert list(zip(*later.to_pydict().values(), strict=True)) == [
        (30271887, 2),
        (30271887, 3),
        (30271887, 4),
        (33728380, 2),
        (34017925, 2),
    ]
    all_of_it = update.table.filter(pc.equal(update.table["pmid"], 30271887))
    assert all_of_it["version"].to_pylist() == [1, 2, 3, 4]


def own_pmids(xml: bytes) -> list[tuple[int, int]]:
    found = re.findall(rb'<MedlineCitation [^>]*>\s*<PMID Version="(\d+)">(\d+)</PMID>', xml)
    return [(int(pmid), int(version)) for version, pmid in found]


def deleted_pmids(xml: bytes) -> list[tuple[int, int]]:
    _, _, deletions = xml.partition(b"<DeleteCitation>")
    return [(int(pmid), int(version)) for version, pmid in re.findall(rb'Version="(\d+)">(\d+)<', deletions)]


@pytest.mark.parametrize("name", ["baseline", "update"])
def test_keys_stand_in_the_order_of_the_file(name: str, request: pytest.FixtureRequest) -> None:
    source: Source = request.getfixturevalue(name)
    keys = source.table.select(["pmid", "version"]).to_pydict()
    assert list(zip(keys["pmid"], keys["version"], strict=True)) == own_pmids(source.xml) + deleted_pmids(source.xml)


Count = Callable[[Source], int]


def tags(tag: str) -> Count:
    return lambda source: sum(source.xml.count(f"<{tag}{end}".encode()) for end in "> ")


def distinct(pattern: bytes) -> Count:
    """Different texts within a record."""
    text = re.compile(pattern, re.DOTALL)

    def count(record: bytes) -> int:
        return len({b" ".join(re.sub(rb"<[^>]*>", b"", found).split()) for found in text.findall(record)} - {b""})

    return lambda source: sum(count(record) for record in source.records)


def labelled_sections(source: Source) -> int:
    """Sections of abstracts in which one of them has a label."""
    abstracts = re.findall(rb"<Abstract>(.*?)</Abstract>", source.xml, re.DOTALL)
    return sum(one.count(b"<AbstractText") for one in abstracts if re.search(rb'<AbstractText[^>]* Label="[^"]', one))


LISTS = {
    "mesh": tags("MeshHeading"),
    "authors": tags("Author"),
    "substances": tags("Chemical"),
    "publication_types": tags("PublicationType"),
    "languages": tags("Language"),
    "corrections": tags("CommentsCorrections"),
    "other_abstracts": tags("OtherAbstract"),
    "abstract_sections": labelled_sections,
    "keywords": distinct(rb"<Keyword [^>]*>(.*?)</Keyword>"),
    "grant_agencies": distinct(rb"<Agency>(.*?)</Agency>"),
    "issns": distinct(rb"<ISSN(?:Linking| )[^>]*>([^<]+)<"),
}


@pytest.mark.parametrize("name", ["baseline", "update"])
@pytest.mark.parametrize("field", LISTS)
def test_lists_have_as_many_items_as_the_file_has_elements(
    field: str, name: str, request: pytest.FixtureRequest
) -> None:
    source: Source = request.getfixturevalue(name)
    found, counted = len(items(source, field)), LISTS[field](source)
    assert found == counted


SINGLES = {
    "vernacular_title": "VernacularTitle",
    "date_completed": "DateCompleted",
    "date_revised": "DateRevised",
    "volume": "Volume",
    "issue": "Issue",
    "pages": "MedlinePgn",
}


@pytest.mark.parametrize("name", ["baseline", "update"])
def test_fields_are_null_only_where_the_file_has_no_text(name: str, request: pytest.FixtureRequest) -> None:
    source: Source = request.getfixturevalue(name)
    said = {field: len(source.table) - source.table[field].null_count for field in SINGLES}
    assert said == {
        field: source.xml.count(f"<{tag}>".encode()) - source.xml.count(f"<{tag}></{tag}>".encode())
        for field, tag in SINGLES.items()
    }


@pytest.mark.parametrize("name", ["baseline", "update"])
def test_parts_of_lists_are_those_of_the_file(name: str, request: pytest.FixtureRequest) -> None:
    source: Source = request.getfixturevalue(name)
    mesh, authors = items(source, "mesh"), items(source, "authors")
    qualifiers = pc.list_flatten(pc.struct_field(mesh, "qualifiers"))
    assert len(qualifiers) == tags("QualifierName")(source)
    major = pc.sum(pc.struct_field(mesh, "major")).as_py() + pc.sum(pc.struct_field(qualifiers, "major")).as_py()
    assert major == len(re.findall(rb'<(?:Descriptor|Qualifier)Name [^>]*MajorTopicYN="Y"', source.xml))
    of_investigators = b"".join(re.findall(rb"<InvestigatorList.*?</InvestigatorList>", source.xml, re.DOTALL))
    assert len(pc.list_flatten(pc.struct_field(authors, "affiliations"))) == (
        tags("Affiliation")(source) - of_investigators.count(b"<Affiliation>")
    )
    groups = pc.struct_field(authors, "collective_name")
    assert len(groups) - groups.null_count == tags("CollectiveName")(source)


@pytest.mark.parametrize("name", ["baseline", "update"])
def test_titles_of_journals_and_statuses_occur_as_often_as_in_the_file(
    name: str, request: pytest.FixtureRequest
) -> None:
    source: Source = request.getfixturevalue(name)
    statuses = re.findall(rb'<MedlineCitation [^>]*Status="([^"]*)"', source.xml)
    assert Counter(filter(None, column(source, "status"))) == Counter(status.decode() for status in statuses)
    linked = re.findall(rb"<NlmUniqueID>([^<]*)<", source.xml)
    assert Counter(filter(None, column(source, "nlm_id"))) == Counter(number.decode() for number in linked)


@pytest.mark.parametrize("name", ["baseline", "update"])
def test_dois_are_those_before_the_references(name: str, request: pytest.FixtureRequest) -> None:
    source: Source = request.getfixturevalue(name)
    own = re.compile(rb'<(?:ArticleId IdType="doi"|ELocationID EIdType="doi" ValidYN="Y")>[^<]')
    wanted = [own.search(record) for record in source.records]
    assert [doi is not None for doi in column(source, "doi")[: len(source.records)]] == [
        doi is not None for doi in wanted
    ]
