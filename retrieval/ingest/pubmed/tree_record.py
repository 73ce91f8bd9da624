"""A record read from its tree, whatever its form: a PubmedArticle, or a book or a chapter on the NCBI Bookshelf.

This reader says what a record means; the other one is right where it says the same.
"""

from collections.abc import Iterable

from lxml import etree

from retrieval.ingest.pubmed.citation import (
    Citation,
    abstract_of,
    distinct,
    first,
    folded,
    iso_date,
    orcid_of,
    pages_of,
)
from schemas import article as rows

_NOTHING = etree.Element("nothing")
_string = etree.XPath("string()", smart_strings=False)
"""Twice as fast as joining itertext()."""


def tree_article(record: etree._Element) -> rows.Article | None:
    """Turn a PubmedArticle or a PubmedBookArticle into an article; None if it has no PMID."""
    _drop_namespaces(record)
    about = _child(record, "BookDocument" if record.tag == "PubmedBookArticle" else "MedlineCitation")
    if (key := key_in(_child(about, "PMID"))) is None:
        return None
    return _book(key, about) if about.tag == "BookDocument" else _citation(key, record, about).article()


def key_in(pmid: etree._Element) -> tuple[int, int] | None:
    """Return number and version of a PMID, or None if they are none."""
    number, version = text_in(pmid), pmid.get("Version", "1")
    if len(number) < 10 > len(version) and number.isdecimal() and version.isdecimal():
        return int(number), int(version)
    return None


def text_in(element: etree._Element) -> str:
    """Return the text of an element and of all within, white space folded."""
    text = str(_string(element)) if len(element) else element.text
    return folded(text) if text else ""


def _citation(key: tuple[int, int], record: etree._Element, about: etree._Element) -> Citation:
    article = _child(about, "Article")
    return Citation(
        key=key,
        title=_text(article, "ArticleTitle"),
        vernacular_title=_text(article, "VernacularTitle"),
        sections=_sections(_child(article, "Abstract")),
        other_abstracts=[
            rows.OtherAbstract(other.get("Type"), other.get("Language", "eng"), abstract_of(_sections(other))[0])
            for other in about.iterfind("OtherAbstract")
        ],
        issn=_text(article, "Journal/ISSN") or None,
        volume=_text(article, "Journal/JournalIssue/Volume") or None,
        issue=_text(article, "Journal/JournalIssue/Issue") or None,
        issue_date=_date(_child(article, "Journal/JournalIssue/PubDate")),
        journal=_text(article, "Journal/Title") or None,
        iso_abbreviation=_text(article, "Journal/ISOAbbreviation") or None,
        medline_ta=_text(about, "MedlineJournalInfo/MedlineTA") or None,
        nlm_id=_text(about, "MedlineJournalInfo/NlmUniqueID") or None,
        issn_linking=_text(about, "MedlineJournalInfo/ISSNLinking") or None,
        pages=_pages(article),
        electronic_date=first(map(_date, article.iterfind("ArticleDate"))),
        languages=_texts(article.iterfind("Language")),
        publication_types=_terms(article.iterfind("PublicationTypeList/PublicationType")),
        mesh=[_heading(one) for one in about.iterfind("MeshHeadingList/MeshHeading")],
        keywords=_texts(about.iterfind("KeywordList/Keyword")),
        substances=[_substance(one) for one in about.iterfind("ChemicalList/Chemical")],
        authors=_authors(article.iterfind("AuthorList/Author")),
        grant_agencies=_texts(article.iterfind("GrantList/Grant/Agency")),
        ids=_ids(record.iterfind("PubmedData/ArticleIdList/ArticleId")),
        located_doi=first(
            text_in(place) for place in article.iterfind("ELocationID[@EIdType='doi']") if place.get("ValidYN") != "N"
        ),
        corrections=[_correction(one) for one in about.iterfind("CommentsCorrectionsList/CommentsCorrections")],
        status=about.get("Status"),
        date_completed=_date(_child(about, "DateCompleted")),
        date_revised=_date(_child(about, "DateRevised")),
    )


def _book(key: tuple[int, int], about: etree._Element) -> rows.Article:
    """Read a chapter, which has the book's title in the place of a journal's, or a book, which has it for both."""
    vernacular, book_title = _text(about, "VernacularTitle"), _text(about, "Book/BookTitle")
    title = _text(about, "ArticleTitle") or vernacular or book_title
    abstract, sections = abstract_of(_sections(_child(about, "Abstract")))
    # A chapter's own date: that of its book may be twenty years older.
    published = _date(_child(about, "ContributionDate")) or _date(_child(about, "Book/PubDate"))
    people = about.findall("AuthorList") or about.findall("Book/AuthorList")
    return rows.Article(
        pmid=key[0],
        version=key[1],
        unusable=not (title or abstract),
        book=True,
        title=title,
        vernacular_title=vernacular or None,
        abstract=abstract,
        abstract_sections=sections,
        journal=book_title,
        volume=_text(about, "Book/Volume") or None,
        pages=_pages(about),
        publication_date=published,
        year=int(published[:4]) if published else None,
        languages=_texts(about.iterfind("Language")),
        publication_types=_terms(about.iterfind("PublicationType")),
        keywords=distinct(_texts(about.iterfind("KeywordList/Keyword"))),
        authors=[one for listed in people if listed.get("Type") != "editors" for one in _authors(listed)],
        grant_agencies=distinct(_texts(about.iterfind("GrantList/Grant/Agency"))),
        doi=_ids(about.iterfind("ArticleIdList/ArticleId")).get("doi"),
        date_revised=_date(_child(about, "DateRevised")),
    )


def _sections(abstract: etree._Element) -> list[rows.AbstractSection]:
    return [
        rows.AbstractSection(part.get("Label") or None, part.get("NlmCategory"), text_in(part))
        for part in abstract.iterfind("AbstractText")
    ]


def _pages(article: etree._Element) -> str | None:
    return pages_of(*[_text(article, f"Pagination/{tag}") for tag in ("StartPage", "EndPage", "MedlinePgn")])


def _date(date: etree._Element) -> str | None:
    return iso_date(*[date.findtext(tag, "") for tag in ("Year", "Month", "Day", "MedlineDate")])


def _terms(terms: Iterable[etree._Element]) -> list[rows.Term]:
    return [rows.Term(term.get("UI"), text_in(term)) for term in terms]


def _heading(heading: etree._Element) -> rows.MeshHeading:
    ui, name, major = _mesh_name(_child(heading, "DescriptorName"))
    return rows.MeshHeading(ui, name, major, [_mesh_name(one) for one in heading.iterfind("QualifierName")])


def _mesh_name(name: etree._Element) -> rows.Qualifier:
    return rows.Qualifier(name.get("UI"), text_in(name), name.get("MajorTopicYN") == "Y")


def _substance(chemical: etree._Element) -> rows.Substance:
    name = _child(chemical, "NameOfSubstance")
    return rows.Substance(name.get("UI"), text_in(name), _text(chemical, "RegistryNumber") or None)


def _authors(authors: Iterable[etree._Element]) -> list[rows.Author]:
    """Return the persons and groups, without those whose names NLM marks as errors."""
    return [
        rows.Author(
            last_name=_child(author, "LastName").text,
            fore_name=_child(author, "ForeName").text,
            initials=_child(author, "Initials").text,
            suffix=None if author.find("Suffix") is None else _text(author, "Suffix"),
            collective_name=_text(author, "CollectiveName") or None,
            orcid=first(map(orcid_of, _texts(author.iterfind("Identifier[@Source='ORCID']")))),
            affiliations=_texts(author.iterfind("AffiliationInfo/Affiliation")),
        )
        for author in authors
        if author.get("ValidYN") != "N"
    ]


def _ids(ids: Iterable[etree._Element]) -> dict[str | None, str]:
    return {one.get("IdType"): text for one in ids if (text := text_in(one))}


def _correction(element: etree._Element) -> rows.Correction:
    key = key_in(_child(element, "PMID"))
    return rows.Correction(element.get("RefType"), key[0] if key else None)


def _child(element: etree._Element, path: str) -> etree._Element:
    """Return what is first on a path, or an empty element: what is absent reads as empty."""
    found = element.find(path)
    return _NOTHING if found is None else found


def _text(element: etree._Element, path: str) -> str:
    return text_in(_child(element, path))


def _texts(elements: Iterable[etree._Element]) -> list[str]:
    """Return the texts that are not empty."""
    return [text for element in elements if (text := text_in(element))]


def _drop_namespaces(record: etree._Element) -> None:
    """Leave the text of elements that are of a namespace, as mathematics is: it is none of PubMed's."""
    foreign = set()
    for element in record.iter():
        foreign.update([element.tag] if element.tag[0] == "{" else [])
        for name in list(element.attrib):
            if name[0] == "{":
                del element.attrib[name]
    etree.strip_tags(record, *foreign)
