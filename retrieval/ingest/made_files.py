"""Made PubMed files, for tests and the demo: nights after real files, from their records.

The real files at hand share no PMID, so nothing in them revises, deletes or re-adds anything. So what NLM might send
after a real record is made from its bytes. Every made file says in a comment that it is made, and so does a changed
text.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from isal.igzip import IGzipFile

from retrieval.files.atomic import atomic_path, write_file
from retrieval.ingest.ncbi import md5_of
from retrieval.ingest.sources import source_name
from schemas.errors import InputError

BLOCK = 1 << 20
BEGIN, END = b"<PubmedArticle>", b"</PubmedArticle>"
HEAD = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2019//EN" \
"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_190101.dtd">
<!-- made by pubray from {origin}; not NLM's data -->
<PubmedArticleSet>
"""
Change = Callable[[bytes, date], bytes]

# What may follow in a MedlineCitation after its comments and its keywords, as the DTD orders it.
AFTER_KEYWORDS = b"CoiStatement|SpaceFlightMission|InvestigatorList|GeneralNote|/MedlineCitation"
AFTER_COMMENTS = (
    b"GeneSymbolList|MeshHeadingList|NumberOfReferences|PersonalNameSubjectList|OtherID|OtherAbstract|KeywordList|"
    + AFTER_KEYWORDS
)

_PMID = re.compile(rb'<PMID Version="\d+">(\d+)</PMID>')
_DATE_REVISED = re.compile(rb"<DateRevised>.*?</DateRevised>\s*(?=<Article )|(?=<Article )", re.DOTALL)


class Night(NamedTuple):
    """What one update file does."""

    day: date
    """The DateRevised of its records."""
    changes: Mapping[int, Sequence[Change]] = {}
    """What is made of records, by their PMIDs; a `reissue` adds a deleted one again."""
    deleted: Collection[int] = ()


def raw_records(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the PMIDs and the bytes of a .gz file's records, in their order; memory is bounded by a record."""
    held = b""
    with IGzipFile(path, "rb") as stream:  # type: ignore[no-untyped-call]
        while block := stream.read(BLOCK):
            *whole, held = (held + block).split(END)
            for text in whole:
                record = text[text.index(BEGIN) :] + END
                found = _PMID.search(record)
                assert found, record[:200]
                yield int(found[1]), record


def write_night(source: Path, folder: Path, name: str, night: Night) -> Path:
    """Write the update file `name` (.xml.gz), made from the records of `source`, and its .md5; return its path.

    InputError for a night about a record that the source does not have.
    """
    if lacking := set(night.changes) - {pmid for pmid, _ in raw_records(source)}:
        raise InputError(f"{source} holds no record of PMID {min(lacking)}; make the night from a file that does")
    records = (
        change(record, night.day) for pmid, record in raw_records(source) for change in night.changes.get(pmid, ())
    )
    return write_source_file(folder / name, made_file(records, night.deleted, source_name(source.name)))


def made_file(records: Iterable[bytes], deleted: Collection[int], origin: str) -> Iterator[bytes]:
    """Yield the lines of a PubMed file; `origin` names the files that the records were made from."""
    yield HEAD.format(origin=origin).encode()
    for record in records:
        yield b"  %b\n" % record
    if deleted:
        pmids = "".join(f'<PMID Version="1">{pmid}</PMID>\n' for pmid in deleted)
        yield f"  <DeleteCitation>\n{pmids}</DeleteCitation>\n".encode()
    yield b"</PubmedArticleSet>\n"


def write_source_file(path: Path, lines: Iterable[bytes]) -> Path:
    """Write a file and its md5; the same lines give the same bytes."""
    with atomic_path(str(path)) as temporary:
        with (
            temporary.open("wb") as file,
            IGzipFile("", "wb", fileobj=file, mtime=0) as stream,  # type: ignore[no-untyped-call]
        ):
            stream.writelines(lines)
        write_file(f"{path}.md5", f"MD5({path.name})= {md5_of(temporary)}\n".encode())
    return path


def reissue(record: bytes, day: date) -> bytes:
    """Return a record that differs in nothing but its DateRevised."""
    revised = f"<DateRevised><Year>{day:%Y}</Year><Month>{day:%m}</Month><Day>{day:%d}</Day></DateRevised>\n      "
    return _DATE_REVISED.sub(revised.encode(), record, count=1)


def revise_text(record: bytes, day: date) -> bytes:
    """Change the title, and the abstract if there is one."""
    return mark_texts(reissue(record, day), f"[made: revised {day}] ")


def revise_metadata(record: bytes, day: date) -> bytes:
    """Add a keyword, and the publication type of a review."""
    keywords = b'<KeywordList Owner="NOTNLM"><Keyword MajorTopicYN="N">made: %b</Keyword></KeywordList>'
    kind = b'<PublicationType UI="D016454">Review</PublicationType>'
    record = _insert(reissue(record, day), b"/PublicationTypeList", kind)
    return _insert(record, AFTER_KEYWORDS, keywords % str(day).encode())


def retract(record: bytes, day: date) -> bytes:
    """Add the publication type and the comment of a retracted article."""
    kind = b'<PublicationType UI="D016441">Retracted Publication</PublicationType>'
    comment = b'<CommentsCorrections RefType="RetractionIn"><RefSource>made: %b</RefSource></CommentsCorrections>'
    comment %= str(day).encode()
    record = _insert(reissue(record, day), b"/PublicationTypeList", kind)
    if b"</CommentsCorrectionsList>" in record:
        return _insert(record, b"/CommentsCorrectionsList", comment)
    return _insert(record, AFTER_COMMENTS, b"<CommentsCorrectionsList>%b</CommentsCorrectionsList>" % comment)


def mark_texts(record: bytes, mark: str) -> bytes:
    """Put a mark before the title, and before the abstract if there is one."""
    record = record.replace(b"<ArticleTitle/>", b"<ArticleTitle></ArticleTitle>", 1)
    for element in (b"ArticleTitle", b"AbstractText"):
        record = re.sub(b"(<%b(?: [^>]*)?(?<!/)>)" % element, rb"\g<1>" + mark.encode(), record, count=1)
    return record


def _insert(record: bytes, before: bytes, xml: bytes) -> bytes:
    """Put XML before the first of some tags, `|` between them."""
    return re.sub(rb"(?=<(?:%b)\b)" % before, lambda _: xml, record, count=1)
