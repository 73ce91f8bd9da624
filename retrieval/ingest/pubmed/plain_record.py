"""A PubmedArticle in the plain form that NLM writes, read by patterns: several times as fast as from its tree.

Plain are start tags, end tags and text, and elements in the order of the DTD, each as often as it allows. The patterns
are strict: what is not plain beyond doubt is left to the tree. Of the bytes it is taken for granted that they hold no
control characters (see `stream`). Of history and references nothing is kept, so damage there is not seen.

Half of the elements are drawn from NLM's vocabularies and calendars: the 288,334 MeSH headings of a baseline file are
65,832 different ones, its 30,000 dates of revision 309. So these are read once, and remembered by their XML.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, TypeVar
from xml.sax.saxutils import unescape

from retrieval.ingest.pubmed.citation import Citation, abstract_of, first, folded, iso_date, orcid_of, pages_of
from schemas import article as rows

LARGEST = 10_000_000
"""Bytes. The XML parser refuses longer texts, so longer records are left to it."""
MARKUP_LEVELS = 8
"""Of inline markup. The XML parser refuses very deep nesting, so deep nesting is left to it."""
REMEMBERED = 1 << 17
"""Distinct values of one kind that a process remembers: about 60 MB of MeSH headings, little of the others."""

Value = TypeVar("Value")

_S = r"[ \n\t]*+"
_NUMBER = "([0-9]{1,9}+)"
_WORD = "([A-Za-z0-9-]++)"
_YN = "([YN])"
_ANY = '[^"<]*+'
_TEXT = "([^<]*+)"
_NAME = "([^<&]++)"  # of a person or a month: kept as it is


def _within(tag: str) -> str:
    """Match what is before an end tag. In an instruction that might be text: it is not plain."""
    return f"[^<]*+(?:<(?!/{tag}>)[^?<][^<]*+)*+"


def _one(tag: str, inner: str = "", **attributes: str) -> str:
    """Match an element, and catch what is within unless `inner` says what of it.

    Attributes are those named, in their order, each of which may be missing. Without `inner` it may have another one.
    """
    named = "".join([f'(?: {name}="{value}")?+' for name, value in attributes.items()])
    start = named if inner or named else '(?: (?!xmlns)[A-Za-z]++="[^"<]*+")?+'  # of two, one might be there twice
    return f"<{tag}{start}>{inner or f'({_within(tag)})'}</{tag}>{_S}"


def _all(dtd: str, inner: str = "") -> str:
    """Match elements as a DTD lists them, as in "Title? Language* Note! Status-", and catch each kind of them.

    Of one that is there once at most ("?") it is caught what `_one` does; others ("*", and "!" if nothing of them is
    kept) are caught with their tags, or not at all if they are words ("-").
    """
    pattern = _S
    for tag, mark in re.findall(r"(\w+)([?*!-])", dtd):
        often, word = f"((?:<{tag}[ >]{_within(tag)}</{tag}>{_S})*+)", f"(?:{_one(tag, '[A-Za-z]*+')})*+"
        pattern += {"?": f"(?:{_one(tag, inner)})?+", "-": word}.get(mark, often)
    return pattern


def _nested(depth: int) -> str:
    """Match text and elements down to a depth, each with an end tag of its own."""
    start = rf'<(?P<tag{depth}>[A-Za-z]++)(?: Type="[^"<]*+")?+(?: (?!xmlns|Type=)[A-Za-z]++="[^"<]*+")?+>'
    return f"[^<]*+(?:{start}{_nested(depth - 1) if depth else '[^<]*+'}</(?P=tag{depth})>[^<]*+)*+"


_DATES = "DateCompleted? DateRevised?"
_ARTICLE = (
    "Journal? ArticleTitle? Pagination? ELocationID* Abstract? AuthorList? Language* DataBankList! GrantList? "
    "PublicationTypeList? VernacularTitle? ArticleDate*"
)
_ABOUT = (
    "MedlineJournalInfo? ChemicalList? SupplMeshList! CitationSubset- CommentsCorrectionsList? GeneSymbolList! "
    "MeshHeadingList? NumberOfReferences! PersonalNameSubjectList! OtherID! OtherAbstract* KeywordList* "
    "CoiStatement! SpaceFlightMission! InvestigatorList! GeneralNote!"
)
_DATA = "History? PublicationStatus- ArticleIdList? ObjectList!"
_CITATION = (
    f"{_S}{_one('PMID', _NUMBER, Version=_NUMBER)}{_all(_DATES)}"
    f"{_one('Article', _all(_ARTICLE), PubModel=_ANY)}{_all(_ABOUT)}"
)
_INSTRUCTIONS = rf"(?:<\?(?:pmcsd|nihms) ?\?>{_S})*+"
_UNUSED = dict.fromkeys(("VersionID", "VersionDate", "IndexingMethod", "Owner"), _ANY)
_RECORD = re.compile(
    f"<PubmedArticle>{_S}{_one('MedlineCitation', _CITATION, Status=_WORD, **_UNUSED)}"
    f"{_one('PubmedData', _all(_DATA) + _INSTRUCTIONS)}</PubmedArticle>"
)
_CAUGHT = re.findall(r"(\w+)([?*!])", " ".join((_DATES, _ARTICLE, _ABOUT, _DATA)))
_PARTS = ("Status", "Version", "PMID", *[tag for tag, _ in _CAUGHT])
_UNREAD = [tag for tag, mark in _CAUGHT if mark == "!"]
_NESTED = re.compile(_nested(6))
_INNERMOST = re.compile(r"<(i|b|u|sub|sup)>([^<]*+)</\1>")
_ODD = {"!": "<!", "]": "]]>", "\r": "\r", "\ufffe": "\ufffe", "\uffff": "\uffff"}
"""What no plain record has, by a character of it: one is found many times as fast as two."""
_REFERENCE = re.compile("&[^;]*;?")
_QUOTES = {"&quot;": '"', "&apos;": "'"}
_REFERENCES = {"&amp;", "&lt;", "&gt;", *_QUOTES}

_DATE = re.compile(_all("Year? Month? Day? Season? MedlineDate?", _NAME))
_LABEL = r'([^"<\n\t]*+)'
_SECTION = re.compile(f"{_one('AbstractText', Label=_LABEL, NlmCategory=_WORD)}|{_one('CopyrightInformation')}")
_OTHER_ABSTRACT = re.compile(_one("OtherAbstract", Type=_WORD, Language=_WORD))
_ISSUE = _one("JournalIssue", _all("Volume? Issue? PubDate?"), CitedMedium="[A-Za-z]*+")
_JOURNAL = re.compile(f"{_all('ISSN?')}(?:{_ISSUE})?+{_all('Title? ISOAbbreviation?')}")
_JOURNAL_INFO = re.compile(_all("Country? MedlineTA? NlmUniqueID? ISSNLinking?", _TEXT))
_PAGES = re.compile(_all("StartPage? EndPage? MedlinePgn?", _TEXT))
_ELECTRONIC_DATE = re.compile(_one("ArticleDate"))
_LANGUAGE = re.compile(_one("Language"))
_TYPE = re.compile(_one("PublicationType", UI=_WORD))
_DESCRIPTOR = f"<DescriptorName{_TEXT}</DescriptorName>{_S}"
_QUALIFIERS = f"((?:<QualifierName[^<]*+</QualifierName>{_S})*+)"
_HEADING = re.compile(f"{_S}<MeshHeading>{_S}{_DESCRIPTOR}{_QUALIFIERS}")
_QUALIFIER = re.compile("<QualifierName([^<]*+)<")
_MESH_NAME = re.compile(f'(?: UI="{_WORD}")?+(?: MajorTopicYN="{_YN}")?+(?: Type="[A-Za-z]*+")?+>{_TEXT}')
_KEYWORDS = re.compile(_one("KeywordList"))
_KEYWORD = re.compile(_one("Keyword"))
_SUBSTANCE = re.compile(f"{_S}<Chemical>{_all('RegistryNumber?', _TEXT)}{_one('NameOfSubstance', UI=_WORD)}")
_AFFILIATION = re.compile(_one("Affiliation"))
_OTHER_IDS = f'(?:<Identifier Source="[A-Z]*+">[^<]*+</Identifier>{_S})*+'
_PLACES = f"((?:{_one('AffiliationInfo', _S + _one('Affiliation', _within('Affiliation')) + _OTHER_IDS)})*+)"
_PERSON = _all("LastName? ForeName? Initials?", _NAME) + _all("Suffix? CollectiveName?", _TEXT)
_ORCID = f'(?:<Identifier Source="ORCID">{_NAME}</Identifier>{_S})?+'
_AUTHOR = re.compile(_one("Author", _PERSON + _ORCID + _PLACES, ValidYN=_YN, EqualContrib="[YN]"))
_GRANT = re.compile(_one("Grant", f"{_all('GrantID? Acronym? Agency? Country?', _TEXT)}(?:<Country/>{_S})?+"))
_ID = re.compile(_one("ArticleId", IdType=_WORD))
_PLACE = re.compile(_one("ELocationID", EIdType=_WORD, ValidYN=_YN))
_VALID_DOI = (["doi", "Y"], ["doi", None])
_OTHER = f"{_all('RefSource?', _TEXT)}(?:{_one('PMID', _NUMBER, Version='[0-9]{1,9}+')})?+{_all('Note?', _TEXT)}"
_CORRECTION = re.compile(_one("CommentsCorrections", _OTHER, RefType=_WORD))


class NotPlainError(Exception):
    """The record may be XML, but is not plain."""


def plain_article(record: bytes) -> rows.Article | None:
    """Turn a PubmedArticle into an article; None if it is not plain beyond doubt."""
    try:
        return _citation(_parts(record)).article()
    except (NotPlainError, UnicodeDecodeError):
        return None


def _parts(record: bytes) -> dict[str, str]:
    """Return what `_RECORD` catches, by tag and name of attribute."""
    head, began, rest = record.partition(b"<ReferenceList>")
    _, ended, end = rest.rpartition(b"</ReferenceList>")
    xml = (head + end).decode()
    odd = [mark for character, mark in _ODD.items() if character in xml and mark in xml]
    if odd or len(record) > LARGEST or bool(began) != bool(ended) or set(_REFERENCE.findall(xml)) - _REFERENCES:
        raise NotPlainError
    parts = dict(zip(_PARTS, _groups(_RECORD, xml), strict=True))
    if (unread := "".join([parts[tag] for tag in _UNREAD])) and not _NESTED.fullmatch(unread):
        raise NotPlainError
    return parts


def _citation(parts: dict[str, str]) -> Citation:
    return Citation(
        (int(parts["PMID"]), int(parts["Version"] or 1)),
        _text(parts["ArticleTitle"]),
        _text(parts["VernacularTitle"]),
        _sections(parts["Abstract"]),
        [
            rows.OtherAbstract(kind, language or "eng", abstract_of(_sections(abstract))[0])
            for _, kind, language, abstract in _items(_OTHER_ABSTRACT, parts["OtherAbstract"])
        ],
        *_journal(parts["Journal"]),
        *_journal_info(parts["MedlineJournalInfo"]),
        pages_of(*map(_text, _groups(_PAGES, parts["Pagination"]))),
        _electronic_date(parts["ArticleDate"]),
        _languages(parts["Language"]),
        _types(parts["PublicationTypeList"]),
        _each(_heading, parts["MeshHeadingList"], "</MeshHeading>"),
        [word for _, words in _items(_KEYWORDS, parts["KeywordList"]) for word in _texts(_KEYWORD, words)],
        _each(_substance, parts["ChemicalList"], "</Chemical>"),
        _authors(parts["AuthorList"]),
        [text for _, _, _, xml, _ in _items(_GRANT, parts["GrantList"]) if xml and (text := _text(xml))],
        {kind: text for _, kind, xml in _items(_ID, parts["ArticleIdList"]) if (text := _text(xml))},
        first([_text(xml) for _, *about, xml in _items(_PLACE, parts["ELocationID"]) if about in _VALID_DOI]),
        [
            rows.Correction(kind, int(pmid) if pmid else None)
            for _, kind, _, pmid, _ in _items(_CORRECTION, parts["CommentsCorrectionsList"])
        ],
        parts["Status"] or None,
        _date(parts["DateCompleted"]),
        _date(parts["DateRevised"]),
    )


def _sections(abstract: str) -> list[rows.AbstractSection]:
    found = []
    for _, label, category, text, rights in _items(_SECTION, abstract):
        if rights is None:
            found.append(rows.AbstractSection(unescape(label or "", _QUOTES) or None, category, _text(text)))
        else:
            _text(rights)  # nothing of it is kept, but it must be XML
    return found


@lru_cache(REMEMBERED)
def _journal(inner: str) -> tuple[str | None, str | None, str | None, str | None, str | None, str | None]:
    issn, volume, issue, date, *names = _groups(_JOURNAL, inner)
    issn, volume, issue, title, abbreviation = [_text(xml) for xml in (issn, volume, issue, *names)]
    return issn or None, volume or None, issue or None, _date(date), title or None, abbreviation or None


@lru_cache(REMEMBERED)
def _journal_info(inner: str) -> tuple[str | None, str | None, str | None]:
    _, medline_ta, nlm_id, linking = [_text(xml) or None for xml in _groups(_JOURNAL_INFO, inner)]
    return medline_ta, nlm_id, linking


@lru_cache(REMEMBERED)
def _date(inner: str) -> str | None:
    year, month, day, _, medline = _groups(_DATE, inner)
    return iso_date(year, month, day, medline)


@lru_cache(REMEMBERED)
def _electronic_date(dates: str) -> str | None:
    return first([_date(date) for _, date in _items(_ELECTRONIC_DATE, dates)])


@lru_cache(REMEMBERED)
def _languages(xml: str) -> list[str]:
    return _texts(_LANGUAGE, xml)


@lru_cache(REMEMBERED)
def _types(xml: str) -> list[rows.Term]:
    return [rows.Term(ui, _text(name)) for _, ui, name in _items(_TYPE, xml)]


@lru_cache(REMEMBERED)
def _heading(xml: str) -> rows.MeshHeading:
    descriptor, qualifiers = _groups(_HEADING, xml)  # a heading is often new, its names seldom
    return rows.MeshHeading(*_mesh_name(descriptor), [_mesh_name(name) for name in _QUALIFIER.findall(qualifiers)])


@lru_cache(REMEMBERED)
def _mesh_name(xml: str) -> rows.Qualifier:
    ui, major, name = _groups(_MESH_NAME, xml)
    return rows.Qualifier(ui or None, _text(name), major == "Y")


@lru_cache(REMEMBERED)
def _substance(xml: str) -> rows.Substance:
    number, ui, name = _groups(_SUBSTANCE, xml)
    return rows.Substance(ui or None, _text(name), _text(number) or None)


def _authors(authors: str) -> list[rows.Author]:
    found = []
    places: dict[str, list[str]] = {}  # those of one paper are often the same
    for _, valid, last, fore, initials, suffix, group, orcid, where in _items(_AUTHOR, authors):
        if where not in places:
            places[where] = [place for xml in _AFFILIATION.findall(where) if (place := _text(xml))]
        suffix, group = suffix and _text(suffix), (group and _text(group)) or None
        if valid != "N":
            found.append(rows.Author(last, fore, initials, suffix, group, orcid and orcid_of(orcid), places[where]))
    return found


def _groups(pattern: re.Pattern[str], xml: str) -> tuple[str, ...]:
    """Return what a pattern catches, "" for what is missing."""
    if (found := pattern.fullmatch(xml)) is None:
        raise NotPlainError
    return found.groups("")


def _items(pattern: re.Pattern[str], xml: str) -> Iterator[tuple[Any, ...]]:
    """Return "" and what the pattern catches of each element of a list, which must hold nothing else."""
    if not xml:
        return iter(())
    pieces = pattern.split(xml.lstrip())
    width = pattern.groups + 1
    if any(pieces[::width]):
        raise NotPlainError
    return zip(*[iter(pieces)] * width, strict=False)


def _texts(pattern: re.Pattern[str], xml: str) -> list[str]:
    return [text for _, inner in _items(pattern, xml) if (text := _text(inner))]


def _each(read: Callable[[str], Value], xml: str, end: str) -> list[Value]:
    """Read the elements of a list one by one, without their end tags."""
    *items, rest = xml.split(end)
    if rest.strip():
        raise NotPlainError
    return [read(item) for item in items]


def _text(xml: str) -> str:
    """Return the text of XML with no markup but simple inline one, white space folded."""
    levels = 0
    while "<" in xml:
        xml, levels = _INNERMOST.sub(r"\2", xml), levels + 1
        if levels > MARKUP_LEVELS:
            raise NotPlainError
    return folded(unescape(xml, _QUOTES) if "&" in xml else xml)
