"""A record read by patterns says what its tree says, or is not plain. Each property damages a record in its own way."""

import re
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree

from retrieval.ingest.pubmed.plain_record import LARGEST, MARKUP_LEVELS, plain_article
from tests.support.pubmed.pubmed_plain import DAMAGED, PLAIN, XML, agrees


def changed(old: str, new: str) -> bytes:
    """The plain record with one piece in another form."""
    assert old.encode() in PLAIN
    return PLAIN.replace(old.encode(), new.encode(), 1)


def test_the_plain_record_is_plain_and_says_all() -> None:
    article = plain_article(PLAIN)
    assert agrees(PLAIN) and article is not None
    silent = {name for name, value in article._asdict().items() if value in (None, "", [], (), False)}
    assert silent == {"doc_id", "deleted", "unusable", "book", "pmcid", "retracted"} | {"issue"}


# What is plain

FORMS = {
    "on one line": ("\n        <PubDate>", "<PubDate>"),
    "no version": ('<PMID Version="1">413934', "<PMID>413934"),
    "attributes of a citation": (
        ' Owner="NLM">',
        ' VersionID="2" VersionDate="2020/01/02" IndexingMethod="Curated" Owner="NLM">',
    ),
    "a range": ("<Year>1977</Year>", "<MedlineDate>1998 Dec-1999 Jan</MedlineDate>"),
    "a season": ("<Year>1977</Year>", "<Year>1977</Year><Season>Spring</Season>"),
    "pages": ("<MedlinePgn>", "<StartPage>87</StartPage><EndPage>93</EndPage><MedlinePgn>"),
    "first page": ("<MedlinePgn>87-93</MedlinePgn>", "<StartPage>87</StartPage>"),
    "nested markup": ("Plain  text", "<b>Plain <i>E. <sup>2</sup></i></b> text"),
    "a label with a reference": ('Label="AIM"', 'Label="AIMS &amp; &quot;SO&quot;"'),
    "an empty label": ('Label="AIM"', 'Label=""'),
    "a label alone": ('Label="AIM" NlmCategory="OBJECTIVE"', 'Label="AIM"'),
    "equal authors": ('<Author ValidYN="Y">', '<Author ValidYN="Y" EqualContrib="Y">'),
    "a group with markup": ("<Suffix>Jr", "<Suffix>Jr &amp; Co"),
    "markup in an affiliation": ("<Affiliation>C", "<Affiliation><sup>1</sup>C"),
    "identifiers of a place": ("C</Affiliation>", 'C</Affiliation><Identifier Source="GRID">g.1</Identifier>'),
    "no country": ("</Agency>", "</Agency><Country/>"),
    "a whole grant": ("<Agency>", "<GrantID>R01 &lt;1</GrantID><Acronym>GM</Acronym><Agency>"),
    "two languages": ("<Language>eng</Language>", "<Language>eng</Language><Language>fre</Language>"),
    "a place": ('UI="D1" MajorTopicYN="N"', 'UI="D1" MajorTopicYN="N" Type="Geographic"'),
    "keywords of two owners": (
        "<KeywordList",
        '<KeywordList Owner="NASA"><Keyword>x</Keyword></KeywordList><KeywordList',
    ),
    "markup in a keyword": ("a &lt; b", "CO<sub>2</sub>"),
    "a whole comment": ('<PMID Version="1">9</PMID>', '<RefSource>J &amp; K</RefSource><PMID Version="1">9</PMID>'),
    "a comment without a PMID": ('<PMID Version="1">9</PMID>', "<RefSource>J</RefSource><Note>n</Note>"),
    "an old DOI": ("10.1/x", "10.1002/(SICI)1097(1998)17:15&lt;1661::AID&gt;3.0"),
    "a place that is not valid": ('EIdType="doi" ValidYN="Y"', 'EIdType="doi" ValidYN="N"'),
    "instructions": ("</PubmedData>", "<?pmcsd ?>\n<?nihms?></PubmedData>"),
    "instructions before references": (
        "</PubmedData>",
        "<?pmcsd ?><ReferenceList></ReferenceList><?nihms ?></PubmedData>",
    ),
    "history": (
        "<PublicationStatus>",
        '<History><PubMedPubDate PubStatus="pubmed"><Year>2000</Year></PubMedPubDate></History><PublicationStatus>',
    ),
    "references": ("</ArticleIdList>", "</ArticleIdList><ReferenceList><Reference/></ReferenceList>"),
}


@pytest.mark.parametrize(("old", "new"), FORMS.values(), ids=list(FORMS))
def test_forms_that_nlm_writes_are_plain(old: str, new: str) -> None:
    assert agrees(changed(old, new))


UNREAD = {
    "<GrantList": '<DataBankList CompleteYN="Y"><DataBank><DataBankName>@</DataBankName></DataBank></DataBankList>',
    "<CitationSubset": '<SupplMeshList><SupplMeshName Type="Disease" UI="C1">@</SupplMeshName></SupplMeshList>',
    "<MeshHeadingList": "<GeneSymbolList><GeneSymbol>@</GeneSymbol></GeneSymbolList>",
    "<OtherAbstract": "<NumberOfReferences>@</NumberOfReferences><PersonalNameSubjectList><PersonalNameSubject>"
    '<LastName>X</LastName></PersonalNameSubject></PersonalNameSubjectList><OtherID Source="NLM">1</OtherID>',
    "<CoiStatement": "<CoiStatement>a @<i>b</i></CoiStatement>",
    "</MedlineCitation": "<SpaceFlightMission>s</SpaceFlightMission><InvestigatorList>"
    '<Investigator ValidYN="Y"><LastName>@</LastName></Investigator></InvestigatorList>'
    '<GeneralNote Owner="NLM">n</GeneralNote>',
    "</PubmedData": '<ObjectList><Object Type="x"><Param Name="y">@</Param></Object></ObjectList>',
}


@pytest.mark.parametrize("before", UNREAD)
def test_what_is_not_kept_is_plain_and_must_be_xml(before: str) -> None:
    record = changed(before, UNREAD[before] + before)
    record = record.replace(b"<CoiStatement>None &amp; none.</CoiStatement>", b"", before == "<CoiStatement")
    assert agrees(record) and plain_article(record) == plain_article(PLAIN)
    for damage in (b"&nbsp;", b"<x>", b"</x>", b"<x></y>", b"<x a='1'>", b'<x a="1" a="1"/>', b"<!-- c -->", b"\xff"):
        assert plain_article(record.replace(b"@", damage)) is None


def test_references_are_dropped_unread() -> None:
    lists = b"<ReferenceList><Reference><ArticleIdList/>&bad;</Reference><ReferenceList/></ReferenceList>" * 2
    assert plain_article(PLAIN.replace(b"</PubmedData>", lists + b"</PubmedData>")) == plain_article(PLAIN)


# What is not

ODD = {
    "a comment": ("<CoiStatement>", "<CoiStatement><!-- </CoiStatement> -->"),
    "a comment in history": ("<PublicationStatus>", "<History><!-- </History> --></History><PublicationStatus>"),
    "CDATA": ("Effets", "<![CDATA[</VernacularTitle>]]>"),
    "an instruction": ("<PubmedData>", "<PubmedData><?pmcsd?>"),
    "mathematics": ("Plain", "<mml:math>x</mml:math>"),
    "an empty element": ("<VernacularTitle>Effets</VernacularTitle>", "<VernacularTitle/>"),
    "a carriage return": ("Plain", "Pla\rin"),
    "another entity": ("Plain", "&#233;"),
    "the end of CDATA": ("Plain", "]]>"),
    "no character": ("Plain", "\uffff"),
    "another order": ("<Volume>3</Volume>", ""),
    "a list of references without an end": ("</PubmedData>", "<ReferenceList></PubmedData>"),
    "a PMID of ten digits": ("413934", "4139341234"),
    "a namespace": ("<Keyword>a", '<Keyword xmlns="u">a'),
    "an attribute twice": ("<Keyword>a", '<Keyword a="1" a="1">a'),
    "deep markup": ("Plain", "<b>" * (MARKUP_LEVELS + 1) + "</b>" * (MARKUP_LEVELS + 1)),
    "a long text": ("Plain", "x" * LARGEST),
}


@pytest.mark.parametrize(("old", "new"), ODD.values(), ids=list(ODD))
def test_what_only_the_parser_can_tell_is_not_plain(old: str, new: str) -> None:
    record = changed(old, new)
    if not new:
        record = record.replace(b"</PubDate>", b"</PubDate>" + old.encode(), 1)
    assert plain_article(record) is None


# Damage

ENDS = [match.start() for match in re.finditer(b"<", PLAIN)]
TAGS = [match.end() for match in re.finditer(rb"<\w+", PLAIN)]


@settings(max_examples=700)
@given(DAMAGED)
def test_a_damaged_record_is_not_plain_or_says_what_its_tree_says(record: bytes) -> None:
    agrees(record)


@pytest.mark.parametrize("text", [b"&nbsp;", b"\xff", b">", b"]]>", b"<x/>", b"<m:x/>", "\u2003".encode()])
def test_odd_text_anywhere_is_not_plain_or_read_as_by_the_tree(text: bytes) -> None:
    for at in ENDS:
        agrees(PLAIN[:at] + text + PLAIN[at:])


@pytest.mark.parametrize(
    "attribute", [b' xmlns="u"', b' a="1"', b' a="1" a="1"', b' a="&nbsp;"', b" a='1'", b' a="\xff"', b' xml:id="1"']
)
def test_an_odd_attribute_anywhere_is_not_plain_or_read_as_by_the_tree(attribute: bytes) -> None:
    for at in TAGS:
        agrees(PLAIN[:at] + attribute + PLAIN[at:])


@settings(max_examples=250)
@given(st.sampled_from(ENDS), st.sampled_from(ENDS), st.sampled_from(ENDS))
def test_elements_taken_out_moved_or_doubled_are_not_plain_or_read_as_by_the_tree(a: int, b: int, c: int) -> None:
    start, end = sorted((a, b))
    piece = PLAIN[start:end]
    for record in (PLAIN[:start] + PLAIN[end:], PLAIN[:c] + piece + PLAIN[c:]):
        agrees(record)


TEXTS = (
    "Effets",
    "Plain  text",
    "J neuro",
    "eng<",
    "Ħarper",
    "J W",
    "A &amp; B",
    "NIH",
    "87-93",
    "Brain",
    "kéy",
    "10.1/x",
)


@settings(max_examples=500)
@given(st.sampled_from(TEXTS), XML)
@example("Ħarper", b"\r")
@example("Effets", b"<<b>i</b>>x</i>")
@example("Effets", b"<i><i>a</i></i>")
@example("Effets", b"<i><b>a</i></b>")
def test_texts_that_are_plain_are_those_of_their_tree(place: str, inner: bytes) -> None:
    agrees(PLAIN.replace(place.rstrip("<").encode(), inner, 1))


@settings(max_examples=150)
@given(st.text(st.characters(codec="utf-8", exclude_characters="<>&\r\ufffe\uffff", exclude_categories=["Cc", "Cs"])))
def test_text_without_markup_is_plain(text: str) -> None:
    assert agrees(changed("Plain  text", text))


# Lists, in forms that NLM does not write too


def element(tag: str, *attributes: str) -> st.SearchStrategy[str]:
    """An element of text, with any of the attributes, sometimes with white space in its start tag."""
    texts = st.text("aé水<>&\"'?! \n\t-]/", max_size=6)
    values = st.tuples(*[st.one_of(st.none(), texts, st.sampled_from(["Y", "N"])) for _ in attributes])
    return st.tuples(values, st.sampled_from(["", "", "", " ", "\n"]), texts, st.sampled_from(["", "\n  "])).map(
        lambda parts: (
            f"<{tag}"
            + "".join(f" {n}={quoteattr(v)}" for n, v in zip(attributes, parts[0], strict=True) if v is not None)
            + f"{parts[1]}>{escape(parts[2])}</{tag}>{parts[3]}"
        )
    )


def mixed(tag: str, *inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """An element with any of the others in any order."""
    return st.lists(st.one_of(*inner), max_size=4).map(lambda parts: f"<{tag}>{''.join(parts)}</{tag}>")


NAMES = [element(tag) for tag in ("LastName", "ForeName", "Initials", "Suffix", "CollectiveName")]
PLACE = st.one_of(mixed("AffiliationInfo", element("Affiliation")), element("Identifier", "Source"))
DAY = mixed("PubDate", *[element(tag) for tag in ("Year", "Month", "Day", "MedlineDate")])
LISTS = {
    "MeshHeadingList": mixed(
        "MeshHeading", element("DescriptorName", "UI", "MajorTopicYN"), element("QualifierName", "UI", "MajorTopicYN")
    ),
    "ChemicalList": mixed("Chemical", element("RegistryNumber"), element("NameOfSubstance", "UI")),
    "AuthorList": mixed("Author", *NAMES, PLACE),
    "PublicationTypeList": element("PublicationType", "UI"),
    "ArticleIdList": element("ArticleId", "IdType"),
    "KeywordList": element("Keyword", "MajorTopicYN"),
    "Abstract": element("AbstractText", "Label", "NlmCategory"),
    "Journal": st.one_of(mixed("JournalIssue", element("Volume"), element("Issue"), DAY), element("Title")),
    "Pagination": st.one_of(*[element(tag) for tag in ("StartPage", "EndPage", "MedlinePgn")]),
}


@pytest.mark.parametrize("tag", LISTS)
def test_lists_that_are_plain_are_those_of_their_tree(tag: str) -> None:
    place = re.compile(rf"(<{tag}[^>]*>).*(</{tag}>)".encode(), re.DOTALL)

    @settings(max_examples=60)
    @given(st.lists(LISTS[tag], max_size=4).map("\n".join))
    def property_holds(inner: str) -> None:
        record = place.sub(lambda found: found[1] + inner.encode() + found[2], PLAIN)
        assert inner.encode() in record
        agrees(record)

    property_holds()


def test_what_is_remembered_of_one_record_is_not_given_to_another() -> None:
    first, other = plain_article(PLAIN), plain_article(changed('UI="D1" MajorTopicYN="N"', 'UI="D1" MajorTopicYN="Y"'))
    assert first is not None and other is not None
    assert [heading.major for heading in first.mesh] == [False, True]
    assert [heading.major for heading in other.mesh] == [True, True]
    assert other._replace(mesh=first.mesh) == first == plain_article(PLAIN)


def test_the_tree_refuses_what_agreement_rests_on() -> None:
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(changed("Plain", "&nbsp;"))
