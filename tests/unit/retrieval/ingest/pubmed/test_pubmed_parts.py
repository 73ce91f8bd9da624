"""A record cut by the pattern or from its tree: the same parts, or the same refusal."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from retrieval.ingest.pubmed import stream
from retrieval.ingest.pubmed.pubmed_parts import LARGEST, outline, parts_of
from retrieval.ingest.pubmed.pubmed_record import parse_article
from retrieval.ingest.pubmed.pubmed_text import NotPlainError
from schemas.errors import InputError
from tests.support.pubmed_plain import DAMAGED, PLAIN
from tests.support.pubmed_xml import document, rows


def outcome(record: bytes) -> Any:
    """What a record gives, or that it is refused and why."""
    try:
        return rows(b"<PubmedArticleSet>%b</PubmedArticleSet>" % record)
    except InputError as error:
        return str(error)


def slow_outcome(record: bytes) -> Any:
    def never(_: bytes) -> Any:
        raise NotPlainError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "outline", never)
        return outcome(record)


def test_the_plain_record_is_plain_and_says_all() -> None:
    article = parse_article(outline(PLAIN))
    assert article is not None and article == parse_article(parts_of(etree.fromstring(PLAIN)))
    silent = {name for name, value in article._asdict().items() if value in (None, "", [], (), False)}
    assert silent == {"doc_id", "deleted", "unusable", "book", "pmcid", "retracted"} | {"issue"}


@settings(max_examples=1500)
@given(DAMAGED)
def test_a_damaged_record_is_read_or_refused_as_its_tree_is(record: bytes) -> None:
    assert outcome(record) == slow_outcome(record)


ENDS = [match.start() for match in re.finditer(b"<", PLAIN)]
TAGS = [match.end() for match in re.finditer(rb"<\w+", PLAIN)]


@pytest.mark.parametrize("text", [b"&nbsp;", b"\xff", b">", b"]]>", b"<x/>", b"<m:x/>"])
def test_odd_text_anywhere_is_read_or_refused_as_the_tree_is(text: bytes) -> None:
    for at in ENDS:
        record = PLAIN[:at] + text + PLAIN[at:]
        assert outcome(record) == slow_outcome(record)


@pytest.mark.parametrize(
    "attribute", [b' xmlns="u"', b' a="1"', b' a="1" a="1"', b' a="&nbsp;"', b" a='1'", b' a="\xff"', b' xml:id="1"']
)
def test_an_odd_attribute_anywhere_is_read_or_refused_as_the_tree_is(attribute: bytes) -> None:
    for at in TAGS:
        record = PLAIN[:at] + attribute + PLAIN[at:]
        assert outcome(record) == slow_outcome(record)


@settings(max_examples=500)
@given(st.sampled_from(ENDS), st.sampled_from(ENDS), st.sampled_from(ENDS))
def test_elements_taken_out_moved_or_doubled_are_read_or_refused_as_the_tree_is(a: int, b: int, c: int) -> None:
    start, end = sorted((a, b))
    piece = PLAIN[start:end]
    for record in (PLAIN[:start] + PLAIN[end:], PLAIN[:c] + piece + PLAIN[c:]):
        assert outcome(record) == slow_outcome(record)


@pytest.mark.parametrize(
    "tag", ["DataBankList", "SupplMeshList", "GeneSymbolList", "PersonalNameSubjectList", "ObjectList"]
)
def test_a_part_that_is_not_read_must_be_xml(tag: str) -> None:
    before = {"DataBankList": "<GrantList", "SupplMeshList": "<CitationSubset", "GeneSymbolList": "<MeshHeadingList"}
    before |= {"PersonalNameSubjectList": "<OtherAbstract", "ObjectList": "</PubmedData"}
    mark = before[tag].encode()
    record = PLAIN.replace(mark, f"<{tag}><x>@</x></{tag}>".encode() + mark, 1)
    assert parse_article(outline(record)) == parse_article(outline(PLAIN))
    with pytest.raises(etree.XMLSyntaxError):
        outline(record.replace(b"@", b"&nbsp;"))


@pytest.mark.parametrize("text", [b"<!-- </History> -->", b"<![CDATA[</History>]]>", b"<?x </History>?>"])
def test_comments_cdata_and_instructions_are_not_plain(text: bytes) -> None:
    record = PLAIN.replace(b"<PublicationStatus>", b"<History>%b</History><PublicationStatus>" % text)
    with pytest.raises(NotPlainError):
        outline(record)
    assert outcome(record) == outcome(PLAIN)


def test_references_are_dropped_unread() -> None:
    lists = b"<ReferenceList><Reference><ArticleIdList/>&bad;</Reference><ReferenceList/></ReferenceList>" * 2
    assert outline(PLAIN.replace(b"</PubmedData>", lists + b"</PubmedData>")) == outline(PLAIN)


def test_a_record_of_more_than_the_parser_takes_is_left_to_it() -> None:
    with pytest.raises(NotPlainError):
        outline(PLAIN.replace(b"Effets", b"x" * LARGEST))


@pytest.mark.parametrize("foreign", ['<m:i m:y="1">x</m:i>', '<b m:y="1">x</b>', '<b xml:lang="en">x</b>'])
def test_what_is_of_a_namespace_leaves_its_text(foreign: str) -> None:
    xml = PLAIN.decode().replace("Plain  text", foreign)
    [found] = rows(f'<PubmedArticleSet xmlns:m="urn:m">{xml}</PubmedArticleSet>'.encode())
    assert found["abstract"].endswith("\nx.")


def test_a_plain_record_among_others_is_one_row() -> None:
    assert [row["pmid"] for row in rows(document(PLAIN.decode(), PLAIN.decode()))] == [413934, 413934]
