"""Where pubray and pubmed_parser 0.5.1 read a field differently, kind by kind, each with the clause that decides.

A kind does not look at pubray's value: it puts pubmed_parser's right, from the XML, and after all kinds that must be
pubray's. Clauses are those of https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd, and the same in the
pubmed_190101.dtd that the real files name.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.e2e import pubmed_amendments as amend
from tests.e2e.pubmed_fields import FIELDS, Value
from tests.support.pubmed.pubmed_xml import TITLE, Record

# pubmed_parser needs a PubDate, as the DTD does.
JOURNAL = '<Journal><JournalIssue CitedMedium="Print"><PubDate><Year>1977</Year></PubDate></JournalIssue></Journal>'


class Kind(NamedTuple):
    """A kind of difference in some fields, and the smallest record that has it and no other."""

    clause: str
    """Of the DTD."""
    fields: tuple[str, ...]
    amend: Callable[[Any, amend.Element, str], Any]
    """pubmed_parser's value, the PubmedArticle, the field → the value without the error, or as it is."""
    example: Record
    theirs: Value
    """What pubmed_parser reads there in the first of the fields."""
    ours: Value
    """What pubray reads there."""


def explain(field: str, theirs: Value, record: amend.Element) -> tuple[Value, list[str]]:
    """Return pubmed_parser's value put right, and the kinds that did it."""
    names = []
    for name, kind in KINDS.items():
        if field in kind.fields and (amended := kind.amend(theirs, record, field)) != theirs:
            theirs = amended
            names.append(name)
    return theirs, names


def _article(inner: str, **others: str) -> Record:
    return Record(article=JOURNAL + inner, **others)


def _author(inner: str) -> Record:
    return _article(f"{TITLE}<AuthorList><Author><LastName>Li</LastName>{inner}</Author></AuthorList>")


# In the order in which the errors are put right.
KINDS = {
    "markup within markup is text": Kind(
        '<!ELEMENT sub (%text;)*>, where <!ENTITY % text "#PCDATA | b | i | sup | sub | u">: markup nests, as '
        "does the mml:math of AbstractText (%text; | mml:math | DispFormula)* and ArticleTitle (%text; | mml:math)*",
        ("title", "vernacular_title", "abstract", "abstract_by_category"),
        amend.nested_markup,
        _article("<ArticleTitle>MoS<sub>2(1-<i>x</i>)</sub> layers</ArticleTitle>"),
        "MoS2(1- layers",
        "MoS2(1-x) layers",
    ),
    "a lone section has its label": Kind(
        "<!ELEMENT Abstract (AbstractText+, …)>, <!ATTLIST AbstractText Label CDATA #IMPLIED>: a lone "
        "AbstractText may have a label",
        ("abstract", "abstract_by_category"),
        amend.lone_label,
        _article(
            f'{TITLE}<Abstract><AbstractText Label="AIM" NlmCategory="OBJECTIVE">To see.</AbstractText></Abstract>'
        ),
        "To see.",
        "AIM To see.",
    ),
    "an OtherAbstract in English is an abstract": Kind(
        '<!ELEMENT OtherAbstract (AbstractText+, …)>, <!ATTLIST OtherAbstract … Language CDATA "eng">',
        ("abstract", "abstract_by_category"),
        amend.english_other_abstract,
        _article(
            TITLE,
            citation='<OtherAbstract Type="PIP"><AbstractText>On fees.</AbstractText></OtherAbstract>',
        ),
        "",
        "On fees.",
    ),
    "an article without ArticleTitle has its VernacularTitle": Kind(
        "<!ELEMENT Article (Journal, ArticleTitle, …, VernacularTitle?, …)>, <!ELEMENT ArticleTitle (%text; | …)*>: it "
        "must be there and may be empty",
        ("title",),
        amend.vernacular_for_title,
        _article("<ArticleTitle/><VernacularTitle>Zur Reduktion.</VernacularTitle>"),
        "",
        "Zur Reduktion.",
    ),
    "a descriptor says itself that it is a major topic": Kind(
        '<!ATTLIST DescriptorName MajorTopicYN (Y | N) "N" …>; MeshHeading has no attributes',
        ("mesh",),
        amend.major_descriptor,
        _article(
            TITLE,
            citation="<MeshHeadingList><MeshHeading>"
            '<DescriptorName UI="D008460" MajorTopicYN="Y">Meat</DescriptorName></MeshHeading></MeshHeadingList>',
        ),
        "D008460:Meat",
        "D008460:Meat*",
    ),
    "markup in a keyword is text": Kind(
        "<!ELEMENT Keyword (%text; | mml:math)*>",
        ("keywords",),
        amend.keyword_markup,
        _article(
            TITLE, citation="<KeywordList><Keyword><i>E. coli</i> K12</Keyword><Keyword>IL-4</Keyword></KeywordList>"
        ),
        "IL-4",
        "E. coli K12; IL-4",
    ),
    "there may be several KeywordLists": Kind(
        "<!ELEMENT MedlineCitation (PMID, …, KeywordList*, …)>, <!ATTLIST KeywordList Owner …>: one of each owner",
        ("keywords",),
        amend.later_keyword_lists,
        _article(
            TITLE,
            citation='<KeywordList Owner="KIE"><Keyword>Medicaid</Keyword></KeywordList>'
            '<KeywordList Owner="PIP"><Keyword>Fees</Keyword></KeywordList>',
        ),
        "Medicaid",
        "Medicaid; Fees",
    ),
    "a DOI stays where another ELocationID follows": Kind(
        "<!ELEMENT Article (Journal, ArticleTitle, ((Pagination, ELocationID*) | ELocationID+), …)>, "
        "<!ATTLIST ELocationID EIdType (doi | pii) #REQUIRED>: there may be several, in any order",
        ("doi",),
        amend.doi_before_another_id,
        _article(
            f'{TITLE}<ELocationID EIdType="doi">10.7554/eLife.1</ELocationID>'
            '<ELocationID EIdType="pii">e1</ELocationID>'
        ),
        "",
        "10.7554/eLife.1",
    ),
    "a PMCID is an ArticleId": Kind(
        "<!ATTLIST ArticleId IdType (doi | pii | … | pmc | …) …>; <!ATTLIST OtherID Source (NASA | KIE | … | QCIM) "
        "#REQUIRED> has no source PMC",
        ("pmcid",),
        amend.pmcid_among_article_ids,
        _article(TITLE, pubmed_data='<ArticleIdList><ArticleId IdType="pmc">PMC2279436</ArticleId></ArticleIdList>'),
        "",
        "PMC2279436",
    ),
    "the ISO abbreviation comes before MEDLINE's": Kind(
        "<!ELEMENT Journal (ISSN?, JournalIssue, Title?, ISOAbbreviation?)>, <!ELEMENT MedlineJournalInfo (Country?, "
        "MedlineTA, …)>: two elements; the schema's field is the former, else the latter",
        ("journal_abbreviation",),
        amend.iso_abbreviation,
        Record(
            article=JOURNAL.replace(
                "</Journal>",
                "<Title>Canadian journal of zoology</Title><ISOAbbreviation>Can. J. Zool.</ISOAbbreviation></Journal>",
            )
            + TITLE,
            citation="<MedlineJournalInfo><MedlineTA>Can J Zool</MedlineTA></MedlineJournalInfo>",
        ),
        "Can J Zool",
        "Can. J. Zool.",
    ),
    "a journal without ISSNLinking has the ISSN of its issue": Kind(
        "<!ELEMENT MedlineJournalInfo (…, NlmUniqueID?, ISSNLinking?)>, <!ELEMENT Journal (ISSN?, …)>",
        ("issn",),
        amend.issn_of_the_issue,
        Record(article=JOURNAL.replace("<Journal>", '<Journal><ISSN IssnType="Print">0044-930X</ISSN>') + TITLE),
        "",
        "0044-930X",
    ),
    "an ORCID has no address, and its hyphens": Kind(
        "<!ELEMENT Identifier (#PCDATA)>, <!ATTLIST Identifier Source CDATA #REQUIRED>: the DTD fixes no form, "
        "the schema does",
        ("orcids",),
        amend.by_author(amend.orcid_form),
        _author('<Identifier Source="ORCID">https://orcid.org/000000029557268X</Identifier>'),
        ["https://orcid.org/000000029557268X"],
        ["0000-0002-9557-268X"],
    ),
    "an ORCID that lacks a digit names nobody": Kind(
        "<!ELEMENT Identifier (#PCDATA)>: any text passes; an ORCID has 16 characters, the last a check digit",
        ("orcids",),
        amend.by_author(amend.cut_orcid),
        _author('<Identifier Source="ORCID">0000-0001-9206-317</Identifier>'),
        ["0000-0001-9206-317"],
        [""],
    ),
    "an author may have several affiliations": Kind(
        "<!ELEMENT Author (…, Identifier*, AffiliationInfo*)>, <!ELEMENT AffiliationInfo (Affiliation, Identifier*)>",
        ("affiliations",),
        amend.by_author(amend.later_affiliations),
        _author(
            "<AffiliationInfo><Affiliation>Oxford.</Affiliation></AffiliationInfo>"
            "<AffiliationInfo><Affiliation>Prague.</Affiliation></AffiliationInfo>"
        ),
        [["Oxford."]],
        [["Oxford.", "Prague."]],
    ),
    "a character that was escaped twice is a character": Kind(
        "<!ELEMENT ArticleTitle (%text; | mml:math)*>: a text is what it says, and nobody says &#945;",
        ("title", "vernacular_title", "abstract", "abstract_by_category", "grant_agencies", "affiliations"),
        amend.written_twice,
        _article("<ArticleTitle>On &amp;#945;-glucosidase in &lt;i&gt;E. coli&lt;/i&gt;.</ArticleTitle>"),
        "On &#945;-glucosidase in <i>E. coli</i>.",
        "On α-glucosidase in E. coli.",
    ),
    "white space is one space": Kind(
        "No xml:space in the DTD: line ends, runs and the publishers' no-break and thin spaces are store, not content",
        ("title", *(field for field in FIELDS if field != "title")),
        amend.white_space,
        _article("<ArticleTitle>Reading at age 8\u202fyears.</ArticleTitle>"),
        "Reading at age 8\u202fyears.",
        "Reading at age 8 years.",
    ),
}
