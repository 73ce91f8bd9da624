"""Made PubMed records: what NLM might send after a real record, made from its bytes.

The real files at hand share no PMID, so nothing in them revises, deletes or re-adds anything. A changed text says that
it is made.
"""

import re
from datetime import date

# What may follow in a MedlineCitation after its comments and its keywords, as the DTD orders it.
AFTER_KEYWORDS = b"CoiStatement|SpaceFlightMission|InvestigatorList|GeneralNote|/MedlineCitation"
AFTER_COMMENTS = (
    b"GeneSymbolList|MeshHeadingList|NumberOfReferences|PersonalNameSubjectList|OtherID|OtherAbstract|KeywordList|"
    + AFTER_KEYWORDS
)

_PMID = re.compile(rb'<PMID Version="(\d+)">(\d+)</PMID>')
_DATE_REVISED = re.compile(rb"<DateRevised>.*?</DateRevised>\s*(?=<Article )|(?=<Article )", re.DOTALL)
_OWN_IDS = re.compile(rb"<ArticleIdList>.*?</ArticleIdList>", re.DOTALL)
_LOCATION = re.compile(rb'(<ELocationID [^>]*ValidYN=")Y"')


def version_and_pmid(record: bytes) -> tuple[int, int]:
    """Return the version and the PMID; they come first in a record."""
    match = _PMID.search(record)
    assert match, record[:200]
    return int(match[1]), int(match[2])


def reissue(record: bytes, day: date) -> bytes:
    """Return a record that differs in nothing but its DateRevised."""
    revised = f"<DateRevised><Year>{day:%Y}</Year><Month>{day:%m}</Month><Day>{day:%d}</Day></DateRevised>\n      "
    return _DATE_REVISED.sub(revised.encode(), record, count=1)


def revise_text(record: bytes, day: date) -> bytes:
    """Change the title, and the abstract if there is one."""
    return _mark(reissue(record, day), f"[made: revised {day}] ")


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


def new_version(record: bytes, day: date) -> bytes:
    """Raise the version of the PMID by one."""
    version, pmid = version_and_pmid(record)
    return _with_key(reissue(record, day), version + 1, pmid)


def with_pmid(record: bytes, day: date, pmid: int) -> bytes:
    """Make the record of another article of it, which has no valid identifier but its PMID."""
    _, old = version_and_pmid(record)
    record = _mark(_with_key(reissue(record, day), 1, pmid), f"[made from {old}] ")
    ids = f'<ArticleIdList><ArticleId IdType="pubmed">{pmid}</ArticleId></ArticleIdList>'
    return _LOCATION.sub(rb'\1N"', _OWN_IDS.sub(ids.encode(), record, count=1))


def _with_key(record: bytes, version: int, pmid: int) -> bytes:
    return _PMID.sub(b'<PMID Version="%d">%d</PMID>' % (version, pmid), record, count=1)


def _mark(record: bytes, mark: str) -> bytes:
    """Put a mark before the title, and before the abstract if there is one."""
    record = record.replace(b"<ArticleTitle/>", b"<ArticleTitle></ArticleTitle>", 1)
    for element in (b"ArticleTitle", b"AbstractText"):
        record = re.sub(b"(<%b(?: [^>]*)?(?<!/)>)" % element, rb"\g<1>" + mark.encode(), record, count=1)
    return record


def _insert(record: bytes, before: bytes, xml: bytes) -> bytes:
    """Put XML before the first of some tags, `|` between them."""
    return re.sub(rb"(?=<(?:%b)\b)" % before, lambda _: xml, record, count=1)
