"""Lifting parts out of a record and remembering them must not show: only speed may depend on it."""

from collections.abc import Callable
from xml.sax.saxutils import escape, quoteattr, unescape

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from retrieval.articles.article import Rejects
from schemas.errors import InputError
from tests.support.pubmed_xml import TITLE, Record, document, row, rows

Xml = st.SearchStrategy[str]

QUICK = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
"""Without the search for an explanation, which takes minutes."""

TEXTS = st.text("aé水<>&\"'?! \n\t-]/", max_size=6)
WORDS = TEXTS.map(escape)
NUMBERS = st.integers(0, 2100).map(str)
YES_NO = st.sampled_from(["Y", "N"])


def attribute(name: str, values: st.SearchStrategy[str] = TEXTS) -> Xml:
    """An attribute or none."""
    return st.one_of(st.just(""), values.map(lambda value: f" {name}={quoteattr(value)}"))


def joined(*parts: Xml) -> Xml:
    return st.tuples(*parts).map("".join)


def mixed(*parts: Xml) -> Xml:
    """Any of the parts, in any order."""
    return st.lists(st.one_of(*parts), max_size=5).map("".join)


def each_once(*parts: Xml) -> Xml:
    """The parts in any order, as the DTD has each at most once; some are missing."""
    optional = [st.one_of(part, part, st.just("")) for part in parts]
    return st.tuples(*optional).flatmap(st.permutations).map("".join)


def element(tag: str, inner: Xml = WORDS, *attributes: Xml) -> Xml:
    """An element, sometimes with white space in its start tag."""
    space = st.sampled_from(["", "", "", " ", "\n"])
    return st.tuples(joined(*attributes), space, inner, st.sampled_from(["", "\n  "])).map(
        lambda parts: f"<{tag}{parts[0]}{parts[1]}>{parts[2]}</{tag}>{parts[3]}"
    )


UI, MAJOR = attribute("UI"), attribute("MajorTopicYN", YES_NO)
DAY = each_once(element("Year", NUMBERS), element("Month", NUMBERS), element("Day", NUMBERS))
DESCRIPTOR = element("DescriptorName", WORDS, UI, MAJOR, attribute("AutoHM"))
HEADING = element("MeshHeading", joined(DESCRIPTOR, mixed(element("QualifierName", WORDS, UI, MAJOR))))
CHEMICAL = element("Chemical", each_once(element("RegistryNumber"), element("NameOfSubstance", WORDS, UI)))
ISSUE = element("JournalIssue", each_once(element("Volume"), element("Issue"), element("PubDate", DAY)))
JOURNAL = element("Journal", each_once(ISSUE, element("ISSN"), element("Title"), element("ISOAbbreviation")))
NLM_JOURNAL = element(
    "MedlineJournalInfo", each_once(element("MedlineTA"), element("NlmUniqueID"), element("ISSNLinking"))
)
TYPES = element("PublicationTypeList", mixed(element("PublicationType", WORDS, UI)))
IDS = element("ArticleIdList", mixed(element("ArticleId", WORDS, attribute("IdType", st.sampled_from(["doi", "pmc"])))))
REFERENCE = element("Reference", joined(element("Citation"), IDS))
REFERENCES = element("ReferenceList", mixed(REFERENCE, element("ReferenceList", mixed(REFERENCE))))
HISTORY = element("History", mixed(element("PubMedPubDate", DAY)))
ABSTRACT = element("Abstract", mixed(element("AbstractText", WORDS, attribute("Label"))))

ARTICLE = each_once(
    JOURNAL, element("ArticleTitle"), ABSTRACT, TYPES, element("VernacularTitle"), element("ArticleDate", DAY)
)
CITATION = each_once(
    element("DateCompleted", DAY),
    element("DateRevised", DAY),
    element("Article", ARTICLE),
    NLM_JOURNAL,
    element("ChemicalList", mixed(CHEMICAL)),
    element("MeshHeadingList", mixed(HEADING)),
    element("KeywordList", mixed(element("Keyword"))),
)
DATA = st.one_of(each_once(HISTORY, IDS, REFERENCES), joined(HISTORY, IDS, REFERENCES, REFERENCES))
RECORDS = st.permutations(
    [element("MedlineCitation", joined(st.just("<PMID>7</PMID>"), CITATION)), element("PubmedData", DATA)]
)


@settings(max_examples=150, phases=QUICK)
@given(RECORDS.flatmap(lambda parts: joined(*parts)))
def test_lifting_changes_nothing_whatever_the_order(inner: str) -> None:
    row(f"<PubmedArticle>{inner}</PubmedArticle>")


@settings(max_examples=50, phases=QUICK)
@given(st.lists(st.one_of(HEADING, CHEMICAL, HEADING), max_size=8), st.integers(0, 3))
def test_a_list_is_read_item_by_item(items: list[str], repeats: int) -> None:
    headings = [item for item in items if item.startswith("<Mesh")]
    chemicals = [item for item in items if item.startswith("<Chem")]
    whole = row(listed(headings, chemicals))
    ones = [row(listed([h], [])) for h in headings], [row(listed([], [c])) for c in chemicals]
    assert whole["mesh"] == [one["mesh"][0] for one in ones[0]]
    assert whole["substances"] == [one["substances"][0] for one in ones[1]]


def listed(headings: list[str], chemicals: list[str]) -> Record:
    mesh, substances = "".join(headings), "".join(chemicals)
    return Record(citation=f"<ChemicalList>{substances}</ChemicalList><MeshHeadingList>{mesh}</MeshHeadingList>")


PARTS: dict[str, Callable[[str], Record]] = {
    "date": lambda text: Record(citation=f"<DateRevised><Year>{text}</Year></DateRevised>"),
    "journal": lambda text: Record(f"<Journal><Title>{text}</Title></Journal>{TITLE}"),
    "journal info": lambda text: Record(
        citation=f"<MedlineJournalInfo><MedlineTA>{text}</MedlineTA></MedlineJournalInfo>"
    ),
    "types": lambda text: Record(
        f"{TITLE}<PublicationTypeList><PublicationType>{text}</PublicationType></PublicationTypeList>"
    ),
    "substance": lambda text: listed([], [f"<Chemical><NameOfSubstance UI='D1'>{text}</NameOfSubstance></Chemical>"]),
    "descriptor": lambda text: listed([f"<MeshHeading><DescriptorName>{text}</DescriptorName></MeshHeading>"], []),
    "qualifier": lambda text: listed(
        [f"<MeshHeading><DescriptorName>D</DescriptorName><QualifierName>{text}</QualifierName></MeshHeading>"], []
    ),
}


@pytest.mark.parametrize("part", PARTS.values(), ids=list(PARTS))
@pytest.mark.parametrize("damage", ["&nbsp;", "&", "a\0b", "\x01", "<b>", "&#0;"], ids=ascii)
def test_a_part_that_is_no_xml_is_refused_like_the_rest_of_a_record(part: Callable[[str], Record], damage: str) -> None:
    rows(document(part("2000")))
    with pytest.raises(InputError, match=r"^p\.xml is not whole XML: [^\n]*; download it again$"):
        rows(document(part(damage)))


def test_what_is_remembered_of_one_record_is_not_given_to_another() -> None:
    first, second = PARTS["descriptor"]("Cocaine"), PARTS["descriptor"]("Cocaine ")
    major = (
        PARTS["descriptor"]("Cocaine").citation.replace("<Desc", "<Desc").replace("Name>C", 'Name MajorTopicYN="Y">C')
    )
    found = rows(document(first, second, first._replace(citation=major), Record()))
    assert [[(mesh["descriptor"], mesh["major"]) for mesh in one["mesh"]] for one in found] == [
        [("Cocaine", False)],
        [("Cocaine", False)],
        [("Cocaine", True)],
        [],
    ]


@pytest.mark.parametrize(
    "item",
    [
        "<MeshHeading/>",
        "<MeshHeading></MeshHeading>",
        "<MeshHeading><QualifierName>q</QualifierName></MeshHeading>",
        '<MeshHeading><DescriptorName UI="D1"/></MeshHeading>',
        "<MeshHeading><DescriptorName>d</DescriptorName></MeshHeading >",
        "<Chemical/>",
        "<Chemical></Chemical>",
        "<Chemical><NameOfSubstance>c</NameOfSubstance></Chemical >",
    ],
)
def test_an_item_that_pubmed_does_not_write_never_breaks_the_reader(item: str) -> None:
    heading = "<MeshHeading><DescriptorName>last</DescriptorName></MeshHeading>"
    chemical = "<Chemical><NameOfSubstance>last</NameOfSubstance></Chemical>"
    items = [item, chemical] if "Chemical" in item else [item, heading]
    record = listed(items, []) if "Mesh" in item else listed([], items)
    rejects = Rejects()
    try:
        [found] = rows(document(record), rejects)
    except InputError as error:
        assert str(error).startswith("p.xml is not whole XML: ")
    else:
        names = [mesh["descriptor"] for mesh in found["mesh"]] + [one["name"] for one in found["substances"]]
        assert (len(names), names[-1]) == (2, "last")


PLAIN_JOURNAL = (
    '<Journal><ISSN IssnType="Print">1-2</ISSN><JournalIssue CitedMedium="Print"><Volume>@</Volume><Issue>2</Issue>'
    "<PubDate><Year>1977</Year></PubDate></JournalIssue><Title>@</Title><ISOAbbreviation>J</ISOAbbreviation></Journal>"
)
PLAIN_HEADING = (
    '<MeshHeadingList><MeshHeading><DescriptorName UI="D1" MajorTopicYN="N">@</DescriptorName>'
    '<QualifierName UI="Q1" MajorTopicYN="Y">@</QualifierName></MeshHeading></MeshHeadingList>'
)


@settings(max_examples=200, phases=QUICK)
@given(WORDS)
def test_a_plain_journal_and_a_plain_heading_are_read_as_those_in_another_form(words: str) -> None:
    plain, other = (
        row(Record(journal.replace("@", words) + TITLE, heading.replace("@", words)))
        for journal, heading in (
            (PLAIN_JOURNAL, PLAIN_HEADING),
            (PLAIN_JOURNAL.replace('"', "'"), PLAIN_HEADING.replace('"', "'")),
        )
    )
    assert plain == other
    assert plain["volume"] == (unescape(words).strip() or None)
