"""Files that are damaged, hostile or odd: always rows that are right, or an InputError that names the file."""

import gzip
import tracemalloc
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from isal.igzip import IGzipFile

from actors.store.local_store import LocalStore
from retrieval.articles import article as articles
from retrieval.articles.article import Rejects, article_batches
from retrieval.ingest.pubmed import stream as pubmed
from retrieval.ingest.pubmed.stream import read_pubmed_xml
from retrieval.ingest.readers import open_source
from schemas.errors import InputError
from schemas.snapshot import SourceFile
from tests.support.pubmed.pubmed_xml import HEAD, TITLE, Record, Row, article, document, rows
from tests.support.stores.store_files import write_part

SMALL = document(
    article(1),
    Record(
        f"<Journal><ISSN>1</ISSN><JournalIssue><PubDate><Year>2021</Year></PubDate></JournalIssue></Journal>{TITLE}"
        "<AuthorList><Author><LastName>É</LastName></Author></AuthorList>"
        "<PublicationTypeList><PublicationType>T</PublicationType></PublicationTypeList>",
        "<ChemicalList><Chemical><NameOfSubstance>C</NameOfSubstance></Chemical></ChemicalList><MeshHeadingList>"
        '<MeshHeading><DescriptorName UI="D1">D</DescriptorName><QualifierName>Q</QualifierName></MeshHeading>'
        "</MeshHeadingList>",
        "<?pmcsd?><ArticleIdList><ArticleId IdType='doi'>10.1/x</ArticleId></ArticleIdList>"
        "<ReferenceList><Reference><Citation>c</Citation></Reference></ReferenceList>",
    ),
    '<PubmedBookArticle><BookDocument><PMID Version="1">5</PMID></BookDocument></PubmedBookArticle>',
    "<DeleteCitation><PMID>9</PMID></DeleteCitation>",
)


def outcome(data: bytes) -> list[Row] | str:
    """Rows, or the message of an InputError; any other exception goes through."""
    try:
        return rows(data)
    except InputError as error:
        message = str(error)
        assert message.startswith("p.xml ")
        assert "\n" not in message and len(message) < 400
        return message


def packed_outcome(path: Path, packed: bytes) -> list[Any] | str:
    path.write_bytes(packed)
    try:
        with open_source(path, Rejects()) as batches:
            return [row for batch in batches for row in batch.to_pylist()]
    except InputError as error:
        assert str(error).startswith(f"{path.name} is ")
        return str(error)


def refused(data: bytes, fact: str = "is not whole XML: ") -> bool:
    return str(outcome(data)).startswith(f"p.xml {fact}")


# Damage


def test_a_file_cut_at_any_byte_is_refused() -> None:
    end = SMALL.rindex(b">") + 1
    assert [size for size in range(end) if not refused(SMALL[:size])] == []
    assert outcome(SMALL[:end]) == rows(SMALL)


def test_a_gzip_cut_at_any_byte_is_refused(tmp_path: Path) -> None:
    path, packed = tmp_path / "pubmed26n0001.xml.gz", gzip.compress(SMALL)
    assert isinstance(packed_outcome(path, packed), list)
    kept = [size for size in range(len(packed)) if isinstance(packed_outcome(path, packed[:size]), list)]
    assert kept == []


def test_a_flipped_bit_of_a_gzip_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    path, packed, whole = tmp_path / "pubmed26n0001.xml.gz", gzip.compress(SMALL, mtime=0), rows(SMALL)
    for bit in range(0, 8 * len(packed), 5):
        flipped = bytearray(packed)
        flipped[bit // 8] ^= 1 << bit % 8
        found = packed_outcome(path, bytes(flipped))
        assert found == whole or isinstance(found, str), bit


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 8 * len(SMALL) - 1)), min_size=1, max_size=3))
def test_flipped_bits_of_xml_raise_no_other_error(bits: list[tuple[int]]) -> None:
    flipped = bytearray(SMALL)
    for (bit,) in bits:
        flipped[bit // 8] ^= 1 << bit % 8
    outcome(bytes(flipped))


@settings(max_examples=150)
@given(
    st.integers(0, len(SMALL)),
    st.integers(0, 40),
    st.one_of(
        st.binary(max_size=8), st.sampled_from([b"<", b">", b"&", b"/", b"]]>", b"<!--", b"<?", b"<PMID>", b"\0"])
    ),
)
def test_bytes_taken_out_and_put_in_raise_no_other_error(start: int, length: int, inserted: bytes) -> None:
    outcome(SMALL[:start] + inserted + SMALL[start + length :])


TOKENS = st.sampled_from(
    [SMALL[i:j] for i, j in zip(range(0, 3000, 37), range(20, 3000, 37), strict=False)]
    + [f"<{slash}{tag}>".encode() for slash in ("", "/") for tag in (
        "PubmedArticle", "MedlineCitation", "Article", "PubmedData", "ReferenceList", "Journal", "MeshHeadingList",
        "MeshHeading", "DescriptorName", "Chemical", "ChemicalList", "PMID", "AuthorList", "LastName", "Affiliation",
        "Author", "DeleteCitation", "History", "PublicationTypeList", "Identifier",
    )]
    + [b"text", b" ", b"&amp;", b"<!-- ", b" -->", b"<![CDATA[", b"]]>", b"<?pi ", b"?>", b"1"]
)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(TOKENS, max_size=25).map(b"".join))
@example(
    b"<MedlineCitation><PMID>1</PMID><Article><AuthorList><LastName>x</LastName></AuthorList></Article></MedlineCitation>"
)
@example(b"<MedlineCitation><PMID>1</PMID><Article><AuthorList><Affiliation/></AuthorList></Article></MedlineCitation>")
def test_tags_in_any_order_raise_no_other_error(inner: bytes) -> None:
    for text in (inner, b"<PubmedArticle>%b</PubmedArticle>" % inner):
        outcome(b"<PubmedArticleSet>%b</PubmedArticleSet>" % text)


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    assert refused(data) or refused(data, "is XML of ")


@settings(max_examples=30)
@given(data=st.binary(max_size=100))
def test_random_bytes_under_the_name_of_a_gzip_are_refused(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert isinstance(packed_outcome(tmp_path_factory.mktemp("random") / "p.xml.gz", data), str)


@pytest.mark.parametrize(
    "packed",
    [b"", gzip.compress(b""), gzip.compress(b"\n \n"), zlib.compress(SMALL), b"PK\3\4" + SMALL, SMALL],
    ids=["empty file", "empty gzip", "blank gzip", "zlib", "zip", "not packed"],
)
def test_what_is_no_gzip_of_xml_is_refused(packed: bytes, tmp_path: Path) -> None:
    assert isinstance(packed_outcome(tmp_path / "p.xml.gz", packed), str)


def test_a_gzip_under_the_name_of_plain_xml_is_refused(tmp_path: Path) -> None:
    assert isinstance(packed_outcome(tmp_path / "p.xml", gzip.compress(SMALL)), str)


# Hostile files


@pytest.mark.parametrize(
    "record", [article(1, "&a8;"), "<PubmedArticle x='&a8;'/>", str(Record(attributes=' x="&a8;"'))]
)
def test_entities_of_entities_are_refused(record: str) -> None:
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 9))
    internal = f'<!DOCTYPE PubmedArticleSet [<!ENTITY a0 "{"ha" * 50}">{laughs}]>'
    assert refused(f"{internal}<PubmedArticleSet>{record}</PubmedArticleSet>".encode())


@pytest.mark.parametrize("place", ["title", "journal", "root"])
@pytest.mark.parametrize("scheme", ["file", "http"])
def test_files_named_by_the_document_are_not_read(place: str, scheme: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not for the index")
    url = secret.as_uri() if scheme == "file" else "http://127.0.0.1:9/secret"
    internal = f'<!DOCTYPE PubmedArticleSet SYSTEM "{url}" [<!ENTITY secret SYSTEM "{url}">%secret;]>'
    journal = "<Journal><Title>&secret;</Title></Journal>"
    record = {"title": article(1, "x &secret; y"), "journal": Record(journal + TITLE), "root": article(1)}[place]
    found = outcome(f"{internal}<PubmedArticleSet>{record}</PubmedArticleSet>".encode())
    assert "not for the index" not in str(found)
    assert isinstance(found, list) == (place == "root")


@pytest.mark.parametrize("depth", [250, 100_000])
@pytest.mark.parametrize("place", ["title", "journal", "references"])
def test_deep_nesting_is_refused_or_read(depth: int, place: str) -> None:
    deep = "<b>" * depth + "x" + "</b>" * depth
    nested = "<ReferenceList>" * depth + "</ReferenceList>" * depth
    record = {
        "title": Record(f"<ArticleTitle>{deep}</ArticleTitle>"),
        "journal": Record(f"<Journal><Title>{deep}</Title></Journal>{TITLE}"),
        "references": Record(pubmed_data=nested),
    }[place]
    assert refused(document(record)) or [row["title"] for row in rows(document(record))] == [
        "x" if place == "title" else "A title"
    ]


def test_a_record_of_many_attributes_or_one_long_one_is_read_or_refused() -> None:
    many = Record(attributes="".join(f' a{n}="{n}"' for n in range(3_000)))
    long = Record(attributes=f' a="{"x" * 2_000_000}"')
    for record in (many, long):
        found = outcome(document(record))
        assert isinstance(found, str) or [row["title"] for row in found] == ["A title"]


MB = b"x" * (1 << 20)
START = b"<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID><Article><ArticleTitle>"
END = b"</ArticleTitle></Article></MedlineCitation></PubmedArticle></PubmedArticleSet>"
TINY = b"<PubmedArticle><MedlineCitation><PMID>1</PMID></MedlineCitation></PubmedArticle>"
HUGE: dict[str, tuple[list[bytes], str]] = {
    "a long record": ([START, *[MB] * 16, END], "no </PubmedArticle> within 1 MB, after"),
    "a long prologue": ([b"x>" * 100] * 80_000, "no element within 64 kB, after"),
    "a long blank": ([b" " * (1 << 20)] * 16, "no > within 1 MB, after"),
    "utf-16": ([("<a>" * 1000).encode("utf-16-le")] * 3_000, "a control character, after"),
    "a blank end": ([b"<PubmedArticleSet></PubmedArticleSet>", *[b" " * (1 << 20)] * 16], "0 rows"),
    "many records": ([b"<PubmedArticleSet>", *[TINY * 100] * 20, b"</PubmedArticleSet>"], "2000 rows"),
}


class _Pieces:
    """A stream that gives these pieces, one a time."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = iter(pieces)

    def read(self, size: int) -> bytes:
        return next(self.pieces, b"")


def _read(stream: Any) -> str:
    try:
        return f"{sum(batch.num_rows for batch in article_batches(read_pubmed_xml(stream, 'p.xml', Rejects())))} rows"
    except InputError as error:
        return str(error).removeprefix("p.xml is not whole XML: ")


def _peak(stream: Any) -> tuple[str, int]:
    """What a stream gives, and the bytes that Python holds at most meanwhile."""
    tracemalloc.start()
    try:
        return _read(stream), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", HUGE)
def test_huge_files_are_read_in_bounded_memory(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pubmed, "MAX_RECORD", 1 << 20)
    monkeypatch.setattr(articles, "BATCH_ROWS", 100)
    _read(_Pieces([START, b"t", END]))
    pieces, fact = HUGE[name]
    found, peak = _peak(_Pieces(pieces))
    assert found.startswith(fact)
    assert peak < (1 << 20 if name == "many records" else 6 << 20)


def test_zeros_in_a_gzip_are_refused_at_the_first_block() -> None:
    bomb = gzip.compress(bytes(1 << 24), compresslevel=1)
    found, peak = _peak(IGzipFile(fileobj=BytesIO(bomb), mode="rb"))  # type: ignore[no-untyped-call]
    assert found.startswith("a control character, after record 0")
    assert peak < 6 << 20


def test_a_text_that_is_too_long_for_the_parser_is_refused() -> None:
    found = _read(_Pieces([START, *[MB] * 12, END]))
    assert "huge" in found.lower() and "\n" not in found


# Encodings


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp037"])
def test_other_encodings_than_those_with_ascii_are_refused(encoding: str) -> None:
    assert refused(SMALL.decode().encode(encoding))
    assert refused((HEAD.replace("utf-8", encoding) + "<PubmedArticleSet/>").encode(encoding))


@pytest.mark.parametrize("name", ["iso-8859-1", "windows-1252", "UTF-16"])
def test_another_declared_encoding_is_refused(name: str) -> None:
    for quote in "'\"":
        head = f"<?xml version={quote}1.0{quote} encoding = {quote}{name}{quote}?>"
        data = (head + f"<PubmedArticleSet>{article(1, 'é')}</PubmedArticleSet>").encode("latin-1")
        assert refused(data, f"is not whole XML: its encoding is {name}, not UTF-8")


@pytest.mark.parametrize("head", ["", HEAD, "<?xml version='1.0'?>"])
@pytest.mark.parametrize("place", [TITLE, f"<Journal><Title>é</Title></Journal>{TITLE}"])
def test_latin_1_that_calls_itself_utf_8_is_refused(head: str, place: str) -> None:
    record = Record(place.replace("A title", "é"))
    data = f"{head}<PubmedArticleSet>{record}</PubmedArticleSet>"
    assert refused(data.encode("latin-1"))
    assert outcome(data.encode()) == rows(document(record))


@pytest.mark.parametrize("head", ["", HEAD, "\n", "<!-- c -->", '<?xml-stylesheet href="a"?>'])
def test_a_byte_order_mark_is_no_content(head: str) -> None:
    assert outcome(f"\ufeff{head}<PubmedArticleSet>{article(1)}</PubmedArticleSet>".encode()) == rows(
        document(article(1))
    )


@pytest.mark.parametrize("name", ["UTF-8", "utf-8", "US-ASCII"])
def test_utf_8_is_known_in_any_case(name: str) -> None:
    assert len(rows((HEAD.replace("utf-8", name) + "<PubmedArticleSet/>").encode())) == 0


@pytest.mark.parametrize("character", ["\0", "\x08", "\ufffe", "&#0;", "&#xD800;", "&#x110000;"], ids=ascii)
@pytest.mark.parametrize("place", ["ArticleTitle", "Journal", "Affiliation"])
def test_characters_that_xml_does_not_have_are_refused(character: str, place: str) -> None:
    assert refused(document(Record(f"{TITLE}<{place}>{character}</{place}>")))


# Odd XML


@pytest.mark.parametrize(
    "inner",
    [
        "<!-- <ReferenceList> <Journal> </MedlineCitation> -->",
        "<!-- <PubmedArticle> -->",
        "<KeywordList><Keyword><![CDATA[<ReferenceList><Journal></KeywordList>]]></Keyword></KeywordList>",
        "<!-- <Journal><Title>J</Title></Journal><DateRevised><Year>1999</Year></DateRevised> -->",
        "<KeywordList><Keyword><![CDATA[<Journal><Title>J</Title></Journal>]]></Keyword></KeywordList>",
        "<?x <Journal><Title>J</Title></Journal><DateRevised><Year>1999</Year></DateRevised> ?>",
        "<?x <ReferenceList> </PubmedData> <MeshHeadingList> ?>",
        '<CoiStatement x="<!--">none</CoiStatement>'.replace("<!--", "!--"),
    ],
)
def test_tags_in_comments_and_cdata_are_text(inner: str) -> None:
    data = "<ArticleIdList><ArticleId IdType='doi'>10.1/x</ArticleId></ArticleIdList>"
    [found, after] = rows(document(Record(citation=inner, pubmed_data=data), article(2)))
    assert (found["doi"], found["title"], after["pmid"]) == ("10.1/x", "A title", 2)
    assert (found["journal"], found["date_revised"]) == ("", None)
    assert all(keyword.startswith("<") for keyword in found["keywords"])


@pytest.mark.parametrize(
    "text",
    [
        "<!-- </PubmedArticle> -->",
        "<![CDATA[</PubmedArticle>]]>",
        "<!-- </PubmedArticle><PubmedArticle> -->",
        "<![CDATA[</PubmedArticle><PubmedArticle>]]>",
        "<?x </PubmedArticle><PubmedArticle> ?>",
        "<!-- </PubmedArticle><DeleteCitation> -->",
        "<!-- </PubmedArticle></PubmedArticleSet> -->",
    ],
)
def test_the_end_of_a_record_in_a_comment_is_refused_not_misread(text: str) -> None:
    assert refused(document(Record(citation=text), article(2), article(3)))


@pytest.mark.parametrize(
    "odd",
    [
        article(1).replace("<PubmedArticle>", "<PubmedArticle >"),
        article(1).replace("<PubmedArticle>", "<PubmedArticle\n>"),
        article(1).replace("<PubmedArticle>", '<PubmedArticle a="1">'),
        article(1).replace("</PubmedArticle>", "</PubmedArticle >"),
        "<PubmedArticle/>",
        "<!-- between -->",
        "text",
        "<PubmedArticle>",
        article(1).replace("PubmedArticle", "pubmedarticle"),
    ],
)
def test_records_in_a_form_that_pubmed_does_not_write_are_refused_not_skipped(odd: str) -> None:
    assert refused(document(odd, article(2)))


@pytest.mark.parametrize("tag", ["MedlineCitation", "Article", "PMID", "ArticleTitle", "PubmedData"])
def test_tags_within_a_record_may_have_white_space_and_attributes(tag: str) -> None:
    record = article(1).replace(f"<{tag}>", f'<{tag}\n a="1" >').replace(f"</{tag}>", f"</{tag}\t>")
    assert outcome(document(record)) == rows(document(article(1)))


@pytest.mark.parametrize("end", [SMALL[:-9], b"<", b"x", b"\0", b"\n" * 3_000_000 + b"x"])
def test_anything_after_the_root_but_another_document_is_refused(end: bytes) -> None:
    assert refused(SMALL + end)


def test_white_space_after_the_root_is_no_error() -> None:
    assert outcome(SMALL + b"\r\n\t " * 1_000_000) == rows(SMALL)


# Nothing half-written


class _Breaking:
    """A stream that ends within a record, after many."""

    def __init__(self) -> None:
        self.pieces: Iterator[bytes] = iter(
            [b"<PubmedArticleSet>", *(article(number).encode() for number in range(1, 2_501)), b"<PubmedArticle>"]
        )

    def read(self, size: int) -> bytes:
        return next(self.pieces, b"")


def test_a_file_that_breaks_leaves_no_article_part(tmp_path: Path) -> None:
    source, store = tmp_path / "p.xml", LocalStore(str(tmp_path / "store"))
    source.write_bytes(b"".join(iter(_Breaking().pieces)))
    rejects, facts = Rejects(), SourceFile(1)
    with pytest.raises(InputError, match=r"^p\.xml is not whole XML: "), open_source(source, rejects) as batches:
        write_part(store, "p", batches, facts, rejects)
    assert list(store.entries("")) == []
    source.write_bytes(source.read_bytes().removesuffix(b"<PubmedArticle>") + b"</PubmedArticleSet>")
    with open_source(source, rejects) as batches:
        write_part(store, "p", batches, facts, rejects)
    assert [one.key for one in store.entries("")] == ["articles/p.parquet"]
