import gzip
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import igzip

from retrieval.articles.article import BATCH_ROWS, Rejects, article_batches
from retrieval.ingest.pubmed import stream as pubmed
from retrieval.ingest.pubmed.stream import read_pubmed_xml
from schemas.errors import InputError
from tests.support.pubmed.pubmed_xml import HEAD, TITLE, Record, article, document, rows

BOOK = (
    '<PubmedBookArticle><BookDocument><PMID Version="1">5</PMID><Book><BookTitle>A book</BookTitle></Book>'
    "</BookDocument></PubmedBookArticle>"
)
DELETION = '<DeleteCitation><PMID Version="1">1</PMID>\n<PMID Version="2">9</PMID></DeleteCitation>'


def found(data: bytes, rejects: Rejects | None = None) -> list[tuple[int, int, bool]]:
    return [(row["pmid"], row["version"], row["deleted"]) for row in rows(data, rejects)]


def test_records_and_deletions_come_at_their_place() -> None:
    assert found(document(article(1), BOOK, DELETION, article(1))) == [
        (1, 1, False),
        (5, 1, False),
        (1, 1, True),
        (9, 2, True),
        (1, 1, False),
    ]


def test_every_record_of_a_pmid_is_a_row() -> None:
    versions = [Record(pmid=f'<PMID Version="{version}">8</PMID>') for version in (1, 2, 4)]
    assert found(document(*versions, article(8))) == [(8, 1, False), (8, 2, False), (8, 4, False), (8, 1, False)]


def test_a_deletion_has_nothing_but_its_key() -> None:
    [row, _] = rows(document(DELETION))
    assert {name: value for name, value in row.items() if value not in (None, "", [], 0)} == {
        "pmid": 1,
        "version": 1,
        "deleted": True,
    }


def test_records_without_a_pmid_are_dropped_with_a_reason() -> None:
    rejects = Rejects()
    nameless = "<PubmedArticle><MedlineCitation/></PubmedArticle>"
    bookless = "<PubmedBookArticle/>\n".replace("/>", "></PubmedBookArticle>")
    deletion = '<DeleteCitation><PMID Version="1">PMC1</PMID><PMID Version="1">2</PMID></DeleteCitation>'
    assert found(document(article(1), nameless, bookless, deletion, article(5)), rejects) == [
        (1, 1, False),
        (2, 1, True),
        (5, 1, False),
    ]
    assert rejects.counts == {"no PMID": 2, "deletion without a PMID": 1}
    assert rejects.samples == {
        "no PMID": ["p.xml record 2", "p.xml record 3"],
        "deletion without a PMID": ["p.xml record 4, 'PMC1'"],
    }


def test_records_without_text_are_rows_that_are_unusable_and_counted() -> None:
    rejects = Rejects()
    textless = Record(article="<ArticleTitle> </ArticleTitle><Language>eng</Language>")
    [first, second] = rows(document(article(1), textless), rejects)
    assert (first["unusable"], second["unusable"], second["pmid"], second["languages"]) == (False, True, 7, ["eng"])
    assert rejects.samples == {"neither title nor abstract": ["p.xml record 2, PMID 7"]}


@pytest.mark.parametrize("empty", [document(), b"<PubmedArticleSet/>", b"<PubmedBookArticleSet />"])
def test_a_set_without_records_is_no_error(empty: bytes) -> None:
    assert rows(empty) == []


def test_records_on_one_line_or_indented_are_the_same() -> None:
    assert rows(document(f"  \r\n\t{article(1)}\n\n  {article(2)}")) == rows(document(article(1).strip(), article(2)))


def test_the_root_s_namespaces_hold_in_its_records() -> None:
    maths = article(1, "On <m:math><m:mi>x</m:mi></m:math>.")
    [row] = rows(f'<PubmedArticleSet xmlns:m="urn:m">{maths}</PubmedArticleSet>'.encode())
    assert row["title"] == "On x."


def test_documents_that_follow_one_another_are_read_one_after_the_other() -> None:
    answers = document(article(1)) + b"\n" + document(article(2), article(3)) + document()
    assert [row["pmid"] for row in rows(answers)] == [1, 2, 3]
    with pytest.raises(InputError, match="it breaks off, after record 1"):
        rows(document(article(1)) + document(article(2))[:-30])


@pytest.mark.parametrize(
    ("data", "fact"),
    [
        (document(article(1), article(2))[:-60], r"is not whole XML: it breaks off, after"),
        (document(article(1), article(2))[:-10], r"is not whole XML: it breaks off, after"),
        (document(article(1), "<Foo>"), r"is not whole XML: <Foo> where a record should begin, after"),
        (document(article(1), article(2), "<&"), r"is not whole XML: .* where a record should begin, after"),
        (document(article(1), article(2, "<&")), r"is not whole XML: .*, after"),
        (document(article(1)) + b"\n PMID 2", r"is not whole XML: more after its end: PMID 2, after record 1"),
        (b"", r"is not whole XML: it is empty, after record 0"),
        (b"PMID,title\n1,a", r"is not whole XML: it breaks off, after record 0"),
        (
            HEAD.replace("utf-8", "iso-8859-1").encode() + b"<PubmedArticleSet/>",
            r"is not .*: its encoding is iso-8859-1",
        ),
    ],
    ids=["cut off", "end cut off", "other tag", "broken", "broken record", "two", "empty", "no XML", "encoding"],
)
def test_what_is_not_whole_is_refused(data: bytes, fact: str) -> None:
    with pytest.raises(InputError, match=rf"^p\.xml {fact}[^\n]*; download it again$"):
        rows(data)


@pytest.mark.parametrize("character", [b"\0", b"\x0b", b"\x1f"])
def test_control_characters_are_refused_wherever_they_are(character: bytes) -> None:
    references = Record(pubmed_data="<ReferenceList><Reference>@</Reference></ReferenceList>")
    with pytest.raises(InputError, match=r"is not whole XML: a control character, after record 0"):
        rows(document(references).replace(b"@", character))
    assert len(rows(document(references).replace(b"@", b"\t\r\n"))) == 1


@pytest.mark.parametrize("space", [" ", "\n", "\t"])
def test_a_root_of_a_namespace_is_refused(space: str) -> None:
    with pytest.raises(InputError, match="is of a namespace"):
        rows(f'<PubmedArticleSet{space}xmlns="urn:x">{article(1)}</PubmedArticleSet>'.encode())


@pytest.mark.parametrize("root", ["html", "BookDocumentSet", "PubmedArticle"])
def test_other_xml_is_refused_by_its_root(root: str) -> None:
    with pytest.raises(
        InputError, match=rf"^p\.xml is XML of <{root}>, not of <PubmedArticleSet>; give a PubMed file$"
    ):
        rows(f"{HEAD}<{root} a='b'><p>404</p></{root}>".encode())


def _flipped(packed: bytes) -> bytes:
    return packed[:100] + bytes(byte ^ 0xFF for byte in packed[100:120]) + packed[120:]


@pytest.mark.parametrize("opener", [gzip.GzipFile, igzip.IGzipFile])
@pytest.mark.parametrize("damage", [lambda packed: packed[:-30], _flipped, lambda packed: b"<xml/>" + packed])
def test_a_damaged_gzip_is_refused(opener: Any, damage: Any) -> None:
    packed = gzip.compress(document(*(article(number, f"Title {number * 7919}") for number in range(50))))
    stream: BinaryIO = opener(fileobj=BytesIO(damage(packed)), mode="rb")
    with pytest.raises(InputError, match=r"^p\.xml\.gz is not whole [^\n]*, after record \d+; download it again$"):
        list(article_batches(read_pubmed_xml(stream, "p.xml.gz", Rejects())))


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_a_gzip_whose_checksum_is_wrong_is_refused_wherever_the_blocks_end(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubmed, "BLOCK", block)
    packed = bytearray(gzip.compress(document(article(1)) + b"\n" * 3))
    packed[-8] ^= 1
    stream: Any = igzip.IGzipFile(fileobj=BytesIO(packed), mode="rb")  # type: ignore[no-untyped-call]
    with pytest.raises(InputError, match="is not whole gzip"):
        list(article_batches(read_pubmed_xml(stream, "p.xml.gz", Rejects())))


class _Endless:
    """A PubMed file of any length, as bytes that exist only while they are read."""

    def __init__(self) -> None:
        self.read_bytes = 0
        self._chunks = self._records()

    def _records(self) -> Iterator[bytes]:
        yield f"{HEAD}<PubmedArticleSet>".encode()
        number = 0
        while True:
            number += 1
            yield article(number).encode()

    def read(self, size: int = -1) -> bytes:
        chunk = next(self._chunks)
        self.read_bytes += len(chunk)
        return chunk


def test_the_first_batch_needs_little_more_than_its_own_records() -> None:
    stream = _Endless()
    batch = next(article_batches(read_pubmed_xml(stream, "p.xml", Rejects())))  # type: ignore[arg-type]
    assert batch["pmid"].to_pylist() == list(range(1, BATCH_ROWS + 1))
    assert stream.read_bytes < (BATCH_ROWS + 10) * len(article(BATCH_ROWS))


VARIED = document(
    article(1),
    Record(
        article=f"<Journal><Title>J</Title></Journal>{TITLE}",
        citation="<DateRevised><Year>2021</Year></DateRevised><MeshHeadingList><MeshHeading>"
        '<DescriptorName UI="D1">é</DescriptorName></MeshHeading></MeshHeadingList>',
    ),
    BOOK,
    article(3, "<![CDATA[</Article>]]> 水"),
    "\n \n",
    article(4, ""),
    DELETION,
    *(article(number, "x" * number) for number in range(10, 30)),
)


def _in_pieces(data: bytes, block: int) -> tuple[Any, Rejects]:
    rejects = Rejects()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pubmed, "BLOCK", block)
        return rows(data, rejects), rejects


@settings(max_examples=60)
@given(st.integers(1, len(VARIED) + 10))
def test_sizes_of_blocks_change_nothing(block: int) -> None:
    assert _in_pieces(VARIED, block) == _in_pieces(VARIED, 1 << 20)


@pytest.mark.parametrize(
    "mark", [b"</PubmedArticle>", b"<PubmedArticle>", b"<PubmedArticleSet>", b"</PubmedArticleSet>"]
)
def test_a_block_may_end_anywhere_in_a_tag(mark: bytes) -> None:
    whole, start = rows(VARIED), VARIED.index(mark)
    for end in range(start, start + len(mark) + 2):
        assert _in_pieces(VARIED, end)[0] == whole


@settings(max_examples=20)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_a_stream_may_return_less_than_it_is_asked_for(sizes: list[int]) -> None:
    class Slow:
        def __init__(self) -> None:
            self.file, self.calls = BytesIO(VARIED), 0

        def read(self, size: int) -> bytes:
            self.calls += 1
            return self.file.read(min(size, sizes[self.calls % len(sizes)]))

    batches = article_batches(read_pubmed_xml(Slow(), "p.xml", Rejects()))  # type: ignore[arg-type]
    assert [row for batch in batches for row in batch.to_pylist()] == rows(VARIED)
