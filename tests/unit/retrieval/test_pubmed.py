import gzip
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

import pytest
from isal import igzip

from retrieval.articles import BATCH_ROWS, Rejects
from retrieval.pubmed import read_pubmed_xml
from schemas.errors import InputError

HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, '
    '1st January 2019//EN" "https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_190101.dtd">\n'
)


def article(pmid: int, title: str = "A title") -> str:
    return (
        f'<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID>'
        f"<Article><ArticleTitle>{title}</ArticleTitle></Article></MedlineCitation></PubmedArticle>\n"
    )


def document(*records: str) -> bytes:
    return f"{HEAD}<PubmedArticleSet>\n{''.join(records)}</PubmedArticleSet>\n".encode()


def rows(data: bytes, rejects: Rejects | None = None) -> list[dict[str, Any]]:
    batches = read_pubmed_xml(BytesIO(data), "p.xml", Rejects() if rejects is None else rejects)
    return [row for batch in batches for row in batch.to_pylist()]


def test_records_and_deletions_come_at_their_place() -> None:
    deletion = '<DeleteCitation><PMID Version="1">1</PMID><PMID Version="2">9</PMID></DeleteCitation>'
    found = [(row["pmid"], row["version"], row["deleted"]) for row in rows(document(article(1), deletion, article(1)))]
    assert found == [(1, 1, False), (1, 1, True), (9, 2, True), (1, 1, False)]


def test_records_that_cannot_be_articles_are_dropped_with_a_reason() -> None:
    rejects = Rejects()
    nameless = "<PubmedArticle><MedlineCitation/></PubmedArticle>"
    book = '<PubmedBookArticle><BookDocument><PMID Version="1">5</PMID></BookDocument></PubmedBookArticle>'
    found = rows(document(article(1), nameless, article(3, title=""), book, article(5)), rejects)
    assert [row["pmid"] for row in found] == [1, 5]
    assert rejects.samples == {
        "no PMID": ["p.xml record 2, PMID "],
        "neither title nor abstract": ["p.xml record 3, PMID 3"],
        "book": ["p.xml record 4"],
    }


def test_a_set_without_records_is_no_error() -> None:
    assert rows(document()) == []


@pytest.mark.parametrize(
    ("data", "fact"),
    [
        (
            document(article(1), article(2))[:-40],
            r"is not whole XML: .*line 5, column 129, after record 1; download",
        ),
        (document(article(1), article(2), "<&"), r"is not whole XML: .*line 6.*, after record 2; download"),
        (b"", r"is not whole XML: no element found, after record 0; download"),
        (b"PMID,title\n1,a", r"is not whole XML: .*line 1, column 1.*; download"),
        (b"<html><p>404</p></html>", r"is XML of <html>, not of <PubmedArticleSet>; give a PubMed file"),
    ],
    ids=["cut off", "broken", "empty", "no XML", "other XML"],
)
def test_what_is_not_a_pubmed_file_is_refused(data: bytes, fact: str) -> None:
    with pytest.raises(InputError, match=rf"^p\.xml {fact}[^\n]*$"):
        rows(data)


def _flipped(packed: bytes) -> bytes:
    return packed[:100] + bytes(byte ^ 0xFF for byte in packed[100:120]) + packed[120:]


@pytest.mark.parametrize("opener", [gzip.GzipFile, igzip.IGzipFile])
@pytest.mark.parametrize("damage", [lambda packed: packed[:-30], _flipped, lambda packed: b"<xml/>" + packed])
def test_a_damaged_gzip_is_refused(opener: Any, damage: Any) -> None:
    packed = gzip.compress(document(*(article(number, f"Title {number * 7919}") for number in range(50))))
    stream: BinaryIO = opener(fileobj=BytesIO(damage(packed)), mode="rb")
    with pytest.raises(InputError, match=r"^p\.xml\.gz is not whole [^\n]*, after record \d+; download it again$"):
        list(read_pubmed_xml(stream, "p.xml.gz", Rejects()))


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


def test_the_first_batch_needs_no_more_than_its_own_records() -> None:
    stream = _Endless()
    batch = next(read_pubmed_xml(stream, "p.xml", Rejects()))  # type: ignore[arg-type]
    assert batch["pmid"].to_pylist() == list(range(1, BATCH_ROWS + 1))
    assert stream.read_bytes < (BATCH_ROWS + 10) * len(article(BATCH_ROWS))


def test_entities_are_not_expanded() -> None:
    internal = '<!DOCTYPE PubmedArticleSet [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    (row,) = rows(f"{internal}<PubmedArticleSet>{article(1, 'x &b; y')}</PubmedArticleSet>".encode())
    assert row["title"] == "x &b; y"


@pytest.mark.parametrize("record", [article(1, "&a8;"), '<PubmedArticle x="&a8;"/>'])
def test_entities_of_entities_are_refused_before_they_fill_the_memory(record: str) -> None:
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 9))
    internal = f'<!DOCTYPE PubmedArticleSet [<!ENTITY a0 "{"ha" * 50}">{laughs}]>'
    with pytest.raises(InputError, match="Maximum entity amplification factor exceeded"):
        rows(f"{internal}<PubmedArticleSet>{record}</PubmedArticleSet>".encode())


def test_files_named_by_the_document_are_not_read(tmp_path: Any) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not for the index")
    external = f'<!DOCTYPE PubmedArticleSet [<!ENTITY secret SYSTEM "{secret.as_uri()}">]>'
    (row,) = rows(f"{external}<PubmedArticleSet>{article(1, 'x &secret;')}</PubmedArticleSet>".encode())
    assert row["title"] == "x &secret;"
