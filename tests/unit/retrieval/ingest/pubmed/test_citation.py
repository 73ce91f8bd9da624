"""Every column of a PubmedArticle, and the traps of the format: records by hand, and the rows that they give."""

import time
from typing import Any

import pytest

from retrieval.articles.article import Rejects
from schemas.article import ARTICLE_SCHEMA
from tests.support.pubmed.pubmed_xml import TITLE, Record, document, row, rows

MATHS = '<mml:math xmlns:mml="urn:m"><mml:msup><mml:mi>x</mml:mi><mml:mn>2</mml:mn></mml:msup></mml:math>'


def value(column: str, record: object) -> Any:
    assert column in ARTICLE_SCHEMA.names
    return row(record)[column]


def said(found: Any) -> Any:
    """What is not null, empty or false, within structs too."""
    if isinstance(found, dict):
        return {name: said(part) for name, part in found.items() if part not in (None, "", [], False)}
    return [said(part) for part in found] if isinstance(found, list) else found


def abstract(*parts: str) -> Record:
    return Record(f"{TITLE}<Abstract>{''.join(parts)}</Abstract>")


def authors(*people: str) -> Any:
    return said(value("authors", Record(f"{TITLE}<AuthorList>{''.join(people)}</AuthorList>")))


def test_a_record_with_a_title_only_has_nothing_elsewhere() -> None:
    found = said(row(Record()))
    assert found.pop("text_hash") and found.pop("record_hash")
    assert found == {"pmid": 7, "version": 1, "title": "A title"}


def test_a_record_without_pubmed_data_is_read() -> None:
    assert row("<PubmedArticle><MedlineCitation><PMID>8</PMID></MedlineCitation></PubmedArticle>")["unusable"]


# Titles


def test_inline_markup_is_text_and_white_space_is_one_space() -> None:
    title = "\n  BMI &lt; 25 kg/m<sup>2</sup> in <i>E.\u00a0coli <b>O157</b></i>:H7\t(a  trial). "
    record = Record(f"<ArticleTitle>{title}</ArticleTitle><VernacularTitle>{title}</VernacularTitle>")
    assert value("title", record) == "BMI < 25 kg/m2 in E. coli O157:H7 (a trial)."
    assert value("vernacular_title", record) == value("title", record)


@pytest.mark.parametrize("space", ["  ", "\n", "\t", "\r\n", "&#10;", "&#13;", "&#160;", "\u2003", " <i> </i> "])
def test_any_white_space_is_folded(space: str) -> None:
    assert value("title", Record(f"<ArticleTitle>{space}a{space}b{space}</ArticleTitle>")) == "a b"
    assert value("abstract", abstract(f"<AbstractText>{space}é{space}b{space}</AbstractText>")) == "é b"


def test_mathematics_is_text() -> None:
    assert value("title", Record(f"<ArticleTitle>On {MATHS}.</ArticleTitle>")) == "On x2."
    text = f"<AbstractText>So {MATHS} and <DispFormula>{MATHS}</DispFormula> <u>hold</u>.</AbstractText>"
    assert value("abstract", abstract(text)) == "So x2 and x2 hold."


def test_character_references_and_the_five_entities_are_characters() -> None:
    title = "<ArticleTitle>&lt;&gt;&amp;&quot;&apos; &#x3b1;&#946;</ArticleTitle>"
    assert value("title", Record(title)) == "<>&\"' αβ"


@pytest.mark.parametrize(
    ("xml", "meant"),
    [
        ("&amp;#945;-glucosidase", "α-glucosidase"),
        ("Wnt/&lt;i&gt;&amp;#946;&lt;/i&gt;-catenin and Ca&lt;sup&gt;2+&lt;/sup&gt;", "Wnt/β-catenin and Ca2+"),
        ("P &amp;lt; 0.05 &amp;amp;amp; more", "P < 0.05 & more"),
        ("R&amp;D; AT&amp;T", "R&D; AT&T"),
        ("a &lt;i&gt; b &lt;/p&gt; &amp;nosuch;", "a <i> b </p> &nosuch;"),
        ("&lt;b&gt;&lt;i&gt;x&lt;/i&gt;&lt;/b&gt;&amp;#8202;y", "x y"),
    ],
)
def test_what_was_escaped_twice_is_what_was_meant(xml: str, meant: str) -> None:
    assert value("title", Record(f"<ArticleTitle>{xml}</ArticleTitle>")) == meant
    assert value("abstract", abstract(f"<AbstractText>{xml}</AbstractText>")) == meant


def test_hostile_text_is_read_in_a_moment() -> None:
    start = time.monotonic()
    for text in ("&amp;" * 200_000 + "lt;", "&lt;i&gt;" * 200_000 + "&lt;/i&gt;" * 200_000):
        value("title", Record(f"<ArticleTitle>{text}</ArticleTitle>"))
    assert time.monotonic() - start < 10


def test_the_vernacular_title_stands_in_for_an_empty_one() -> None:
    vernacular = "<VernacularTitle>Briefsammlung.</VernacularTitle>"
    empty, bracketed = Record(f"<ArticleTitle/>{vernacular}"), Record(f"<ArticleTitle>[L].</ArticleTitle>{vernacular}")
    assert (value("title", empty), value("vernacular_title", empty)) == ("Briefsammlung.", "Briefsammlung.")
    assert (value("title", bracketed), value("vernacular_title", bracketed)) == ("[L].", "Briefsammlung.")
    assert value("vernacular_title", Record(f"{TITLE}<VernacularTitle/>")) is None


def test_the_vernacular_title_stands_in_for_one_that_is_not_available() -> None:
    missing = "<ArticleTitle>[Not Available].</ArticleTitle>"
    assert value("title", Record(f"{missing}<VernacularTitle>Tratamiento.</VernacularTitle>")) == "Tratamiento."
    assert value("title", Record(missing)) == "[Not Available]."  # better than nothing


# Abstracts


def test_a_structured_abstract_is_a_line_per_section_with_its_label_as_given() -> None:
    record = abstract(
        '<AbstractText Label="BACKGROUND" NlmCategory="BACKGROUND">One\n two.</AbstractText>',
        '<AbstractText Label="Key points:">Three.</AbstractText>',
        '<AbstractText Label="" NlmCategory="UNASSIGNED">Four.</AbstractText>',
        '<AbstractText Label="UNASSIGNED" NlmCategory="UNASSIGNED">Five.</AbstractText>',
        '<AbstractText Label="LEVEL OF EVIDENCE: 4"/>',
        "<AbstractText>Six.</AbstractText>",
        "<CopyrightInformation>© 2021</CopyrightInformation>",
    )
    assert (
        value("abstract", record)
        == "BACKGROUND: One two.\nKey points:: Three.\nFour.\nUNASSIGNED: Five.\nLEVEL OF EVIDENCE: 4\nSix."
    )
    assert value("abstract_sections", record) == [
        {"label": "BACKGROUND", "category": "BACKGROUND", "text": "One two."},
        {"label": "Key points:", "category": None, "text": "Three."},
        {"label": None, "category": "UNASSIGNED", "text": "Four."},
        {"label": "UNASSIGNED", "category": "UNASSIGNED", "text": "Five."},
        {"label": "LEVEL OF EVIDENCE: 4", "category": None, "text": ""},
        {"label": None, "category": None, "text": "Six."},
    ]


@pytest.mark.parametrize("attributes", ["", ' Label=""', ' Label="" NlmCategory="METHODS"', ' NlmCategory="METHODS"'])
def test_an_abstract_without_labels_has_no_sections(attributes: str) -> None:
    record = abstract(f"<AbstractText{attributes}>One.</AbstractText>", "<AbstractText>Two.</AbstractText>")
    assert (value("abstract", record), value("abstract_sections", record)) == ("One.\nTwo.", [])


OTHERS = (
    '<OtherAbstract Type="Publisher" Language="spa"><AbstractText Label="META">Hola.</AbstractText></OtherAbstract>'
    '<OtherAbstract Type="plain-language-summary" Language="eng"><AbstractText/></OtherAbstract>'
    '<OtherAbstract Type="PIP"><AbstractText>Hello.</AbstractText><CopyrightInformation>©</CopyrightInformation>'
    '</OtherAbstract><OtherAbstract Type="KIE" Language="eng"><AbstractText>Third.</AbstractText></OtherAbstract>'
)


def test_other_abstracts_keep_type_and_language_which_is_english_where_none_is_given() -> None:
    found = [tuple(other.values()) for other in value("other_abstracts", Record(citation=OTHERS))]
    assert found == [
        ("Publisher", "spa", "META: Hola."),
        ("plain-language-summary", "eng", ""),
        ("PIP", "eng", "Hello."),
        ("KIE", "eng", "Third."),
    ]


def test_the_first_other_abstract_with_text_in_english_stands_in_for_none() -> None:
    record = Record(citation=OTHERS)
    assert (value("abstract", record), value("abstract_sections", record)) == ("Hello.", [])
    own = f"{TITLE}<Abstract><AbstractText>Own.</AbstractText></Abstract>"
    assert value("abstract", record._replace(article=own)) == "Own."


def test_an_abstract_in_another_language_never_stands_in() -> None:
    spanish = OTHERS.partition("</OtherAbstract>")[0] + "</OtherAbstract>"
    record = Record(citation=spanish)
    assert value("abstract", record) == ""
    assert row(record._replace(article="<ArticleTitle/>"))["unusable"]


# Journal and issue

JOURNAL = (
    '<Journal><ISSN IssnType="Print">0960-9822</ISSN><JournalIssue CitedMedium="Print"><Volume>31</Volume>'
    "<Issue>12 Pt 1</Issue><PubDate><Year>2021</Year><Month>Jun</Month></PubDate></JournalIssue>"
    "<Title>Current biology : CB</Title><ISOAbbreviation>Curr Biol</ISOAbbreviation></Journal>"
)
NLM_JOURNAL = (
    "<MedlineJournalInfo><Country>England</Country><MedlineTA>Curr Biol CB</MedlineTA>"
    "<NlmUniqueID>9107782</NlmUniqueID><ISSNLinking>{}</ISSNLinking></MedlineJournalInfo>"
)


def test_the_journal_and_its_issue() -> None:
    found = row(Record(JOURNAL + TITLE, NLM_JOURNAL.format("1879-0445")))
    assert (found["journal"], found["journal_abbreviation"]) == ("Current biology : CB", "Curr Biol")
    assert (found["issns"], found["nlm_id"]) == (["0960-9822", "1879-0445"], "9107782")
    assert (found["volume"], found["issue"]) == ("31", "12 Pt 1")
    assert (found["publication_date"], found["year"]) == ("2021-06", 2021)


def test_an_issn_is_named_once() -> None:
    assert value("issns", Record(JOURNAL + TITLE, NLM_JOURNAL.format("0960-9822"))) == ["0960-9822"]
    assert value("issns", Record(JOURNAL + TITLE)) == ["0960-9822"]
    assert value("issns", Record(TITLE, NLM_JOURNAL.format("1879-0445"))) == ["1879-0445"]
    assert value("issns", Record(TITLE, NLM_JOURNAL.format(""))) == []


def test_medline_s_abbreviation_stands_in_for_the_iso_one() -> None:
    journal = JOURNAL.replace("<ISOAbbreviation>Curr Biol</ISOAbbreviation>", "")
    assert value("journal_abbreviation", Record(journal, NLM_JOURNAL)) == "Curr Biol CB"
    assert value("journal_abbreviation", Record(journal)) is None


@pytest.mark.parametrize(
    ("pagination", "pages"),
    [
        ("<MedlinePgn>247-53</MedlinePgn>", "247-53"),
        ("<StartPage>247</StartPage><EndPage>253</EndPage><MedlinePgn>247-53</MedlinePgn>", "247-53"),
        ("<StartPage>247</StartPage><EndPage>253</EndPage>", "247-253"),
        ("<StartPage>e1000393</StartPage>", "e1000393"),
        ("<StartPage>1</StartPage><MedlinePgn/>", "1"),
        ("<MedlinePgn/>", None),
    ],
)
def test_pages_are_medline_s_else_first_and_last(pagination: str, pages: str | None) -> None:
    assert value("pages", Record(f"{TITLE}<Pagination>{pagination}</Pagination>")) == pages


# Dates

ELECTRONIC = '<ArticleDate DateType="Electronic"><Year>2020</Year><Month>11</Month><Day>03</Day></ArticleDate>'


def dated(published: str, electronic: str = "") -> tuple[str | None, int | None]:
    issue = f"<Journal><JournalIssue>{published}</JournalIssue></Journal>"
    found = row(Record(issue + TITLE + electronic))
    return found["publication_date"], found["year"]


@pytest.mark.parametrize(
    ("pub_date", "date", "year"),
    [
        ("<Year>2000</Year><Month>Feb</Month><Day>24</Day>", "2000-02-24", 2000),
        ("<Year>2000</Year><Month>02</Month><Day>4</Day>", "2000-02-04", 2000),
        ("<Year>2000</Year><Month>December</Month>", "2000-12", 2000),
        ("<Year>2000</Year><Month>Jul-Aug</Month>", "2000-07", 2000),
        ("<Year>2000</Year><Month>13</Month><Day>4</Day>", "2000", 2000),
        ("<Year>2000</Year><Month>0</Month><Day>4</Day>", "2000", 2000),
        ("<Year>2000</Year><Month>May</Month><Day>32</Day>", "2000-05", 2000),
        ("<Year>2021</Year><Month>Jun</Month><Day>31</Day>", "2021-06", 2021),
        ("<Year>2021</Year><Month>2</Month><Day>29</Day>", "2021-02", 2021),
        ("<Year>2024</Year><Month>2</Month><Day>29</Day>", "2024-02-29", 2024),
        ("<Year>2000</Year><Day>4</Day>", "2000", 2000),
        (f"<Year>2000</Year><Month>{'1' * 5000}</Month>", "2000", 2000),
        ("<Year> 2000\n</Year>", "2000", 2000),
        ("<Year>1977</Year><Season>Spring</Season>", "1977", 1977),
        ("<MedlineDate>1998 Dec-1999 Jan</MedlineDate>", "1998", 1998),
        ("<MedlineDate>1998-1999</MedlineDate>", "1998", 1998),
        ("<MedlineDate>Winter 1977-1978</MedlineDate>", "1977", 1977),
        ("<MedlineDate>1977 Apr 17-21</MedlineDate>", "1977", 1977),
        ("<MedlineDate>undated</MedlineDate>", None, None),
        ("<MedlineDate>12345 67890</MedlineDate>", None, None),
        ("<Year>20</Year>", None, None),
        ("", None, None),
    ],
)
def test_a_publication_date_is_as_precise_as_its_source(pub_date: str, date: str | None, year: int | None) -> None:
    assert dated(f"<PubDate>{pub_date}</PubDate>") == (date, year)


@pytest.mark.parametrize("pub_date", ["", "<PubDate/>", "<PubDate><MedlineDate>undated</MedlineDate></PubDate>"])
def test_the_electronic_date_stands_in_for_that_of_the_issue(pub_date: str) -> None:
    assert dated(pub_date, ELECTRONIC) == ("2020-11-03", 2020)
    assert dated("<PubDate><Year>2021</Year></PubDate>", ELECTRONIC) == ("2021", 2021)


def test_the_first_electronic_date_counts() -> None:
    assert dated("", ELECTRONIC + ELECTRONIC.replace("2020", "2022")) == ("2020-11-03", 2020)


def test_dates_of_completion_and_revision() -> None:
    dates = (
        "<DateCompleted><Year>1976</Year><Month>01</Month><Day>09</Day></DateCompleted>"
        "<DateRevised><Year>2018</Year><Month>11</Month><Day>30</Day></DateRevised>"
    )
    history = "<History><PubMedPubDate><Year>1975</Year><Month>7</Month><Day>1</Day></PubMedPubDate></History>"
    found = row(Record(citation=dates, pubmed_data=history))
    assert (found["date_completed"], found["date_revised"]) == ("1976-01-09", "2018-11-30")
    assert found["publication_date"] is None


# Vocabularies

TYPES = (
    '<PublicationTypeList><PublicationType UI="D016428">Journal Article</PublicationType>'
    '<PublicationType UI="{}">Renamed Type</PublicationType></PublicationTypeList>'
)


def test_languages_publication_types_and_status() -> None:
    found = row(
        Record(
            f"{TITLE}<Language>eng</Language><Language>fre</Language><Language/>{TYPES.format('D1')}",
            attributes=' Status="PubMed-not-MEDLINE" Owner="NLM"',
        )
    )
    assert (found["languages"], found["status"]) == (["eng", "fre"], "PubMed-not-MEDLINE")
    assert found["publication_types"] == [
        {"ui": "D016428", "name": "Journal Article"},
        {"ui": "D1", "name": "Renamed Type"},
    ]


def test_mesh_marks_the_major_topic_where_the_record_does() -> None:
    headings = (
        '<MeshHeadingList><MeshHeading><DescriptorName UI="D1" MajorTopicYN="N">Cocaine</DescriptorName>'
        '<QualifierName UI="Q1" AutoHM="Y" MajorTopicYN="Y">metabolism</QualifierName>'
        '<QualifierName UI="Q2" MajorTopicYN="N">blood</QualifierName></MeshHeading>\n'
        '<MeshHeading><DescriptorName MajorTopicYN="Y" Type="Geographic">Côte d\'Ivoire</DescriptorName></MeshHeading>'
        '<MeshHeading><DescriptorName UI="D3">Tea &amp; Coffee</DescriptorName></MeshHeading></MeshHeadingList>'
    )
    assert value("mesh", Record(citation=headings)) == [
        {
            "ui": "D1",
            "descriptor": "Cocaine",
            "major": False,
            "qualifiers": [
                {"ui": "Q1", "name": "metabolism", "major": True},
                {"ui": "Q2", "name": "blood", "major": False},
            ],
        },
        {"ui": None, "descriptor": "Côte d'Ivoire", "major": True, "qualifiers": []},
        {"ui": "D3", "descriptor": "Tea & Coffee", "major": False, "qualifiers": []},
    ]


def test_supplementary_concepts_and_genes_are_not_mesh_headings() -> None:
    other = (
        '<SupplMeshList><SupplMeshName Type="Disease" UI="C1">COVID-19</SupplMeshName></SupplMeshList>'
        "<GeneSymbolList><GeneSymbol>lac</GeneSymbol></GeneSymbolList>"
    )
    assert value("mesh", Record(citation=other)) == []


def test_substances_have_their_registry_number() -> None:
    chemicals = (
        "<ChemicalList><Chemical><RegistryNumber>I5Y540LHVR</RegistryNumber>"
        '<NameOfSubstance UI="D003042">Cocaine</NameOfSubstance></Chemical>'
        '<Chemical><RegistryNumber>0</RegistryNumber><NameOfSubstance UI="D2">A &lt; B</NameOfSubstance></Chemical>'
        "<Chemical><RegistryNumber/><NameOfSubstance>C</NameOfSubstance></Chemical></ChemicalList>"
    )
    assert value("substances", Record(citation=chemicals)) == [
        {"ui": "D003042", "name": "Cocaine", "registry_number": "I5Y540LHVR"},
        {"ui": "D2", "name": "A < B", "registry_number": "0"},
        {"ui": None, "name": "C", "registry_number": None},
    ]


def test_keywords_of_all_owners_are_one_list_without_repeats() -> None:
    lists = (
        '<KeywordList Owner="NOTNLM"><Keyword MajorTopicYN="N">CO<sub>2</sub></Keyword><Keyword>b</Keyword><Keyword/>'
        '</KeywordList><KeywordList Owner="NASA"><Keyword>b</Keyword><Keyword> a\n c </Keyword></KeywordList>'
    )
    assert value("keywords", Record(citation=lists)) == ["CO2", "b", "a c"]


# People

PERSON = "<Author{}><LastName>Curie</LastName><ForeName>Marie S</ForeName><Initials>MS</Initials>{}</Author>"
CURIE = {"last_name": "Curie", "fore_name": "Marie S", "initials": "MS"}


def test_persons_and_groups_are_authors_in_their_order() -> None:
    group = "<Author><CollectiveName>CO<sub>2</sub> Study  Group</CollectiveName></Author>"
    mononym = "<Author><LastName>Plato</LastName></Author>"
    junior = PERSON.format("", "<Suffix>3<sup>rd</sup></Suffix>")
    assert authors(PERSON.format("", ""), group, mononym, junior) == [
        CURIE,
        {"collective_name": "CO2 Study Group"},
        {"last_name": "Plato"},
        {**CURIE, "suffix": "3rd"},
    ]


def test_a_name_that_nlm_marks_as_an_error_is_no_author() -> None:
    wrong = PERSON.format(' ValidYN="N"', "").replace("Curie", "Cury")
    assert authors(wrong, PERSON.format(' ValidYN="Y" EqualContrib="Y"', "")) == [CURIE]


@pytest.mark.parametrize(
    ("identifier", "orcid"),
    [
        ("0000-0002-1825-009X", "0000-0002-1825-009X"),
        ("https://orcid.org/0000-0002-1825-0097", "0000-0002-1825-0097"),
        ("http://orcid.org/0000000218250097", "0000-0002-1825-0097"),
        (" 0000-0002-1825-0097\n", "0000-0002-1825-0097"),
        ("0000-0002-1825-009", None),
        ("unknown", None),
        ("", None),
    ],
)
def test_an_orcid_is_bare_and_has_its_hyphens(identifier: str, orcid: str | None) -> None:
    xml = PERSON.format("", f'<Identifier Source="ORCID">{identifier}</Identifier>')
    assert authors(xml) == [{**CURIE, **({"orcid": orcid} if orcid else {})}]


def test_other_identifiers_are_no_orcid() -> None:
    inner = (
        '<Identifier Source="ISNI">0000000218250097</Identifier>'
        '<AffiliationInfo><Affiliation>Paris</Affiliation><Identifier Source="ORCID">0000-0002-1825-0097</Identifier>'
        "</AffiliationInfo>"
    )
    assert authors(PERSON.format("", inner)) == [{**CURIE, "affiliations": ["Paris"]}]


def test_all_affiliations_are_kept_and_stay_with_their_author() -> None:
    places = "".join(
        f"<AffiliationInfo><Affiliation>{place}</Affiliation></AffiliationInfo>"
        for place in ("Sorbonne,\n Paris", "<sup>1</sup>Radium Institute")
    )
    assert authors(PERSON.format("", places), PERSON.format("", "")) == [
        {**CURIE, "affiliations": ["Sorbonne, Paris", "1Radium Institute"]},
        CURIE,
    ]


def test_investigators_and_persons_written_about_are_no_authors() -> None:
    name = "<LastName>Bohr</LastName><Initials>N</Initials>"
    others = (
        f"<PersonalNameSubjectList><PersonalNameSubject>{name}</PersonalNameSubject></PersonalNameSubjectList>"
        f'<InvestigatorList><Investigator ValidYN="Y">{name}</Investigator></InvestigatorList>'
    )
    assert value("authors", Record(citation=others)) == []


def test_agencies_of_grants_are_named_once() -> None:
    grants = "".join(
        f"<Grant><GrantID>{number}</GrantID><Acronym>GM</Acronym>{agency}<Country>U S</Country></Grant>"
        for number, agency in enumerate(
            ["<Agency>NIH HHS</Agency>", "<Agency>Wellcome</Agency>", "<Agency>NIH HHS</Agency>", "<Agency/>", ""]
        )
    )
    assert value("grant_agencies", Record(f"{TITLE}<GrantList>{grants}</GrantList>")) == ["NIH HHS", "Wellcome"]


# Identifiers

OWN_IDS = (
    '<ArticleIdList><ArticleId IdType="pubmed">7</ArticleId><ArticleId IdType="pmc">PMC12</ArticleId>'
    '<ArticleId IdType="pmcid">pmc-id: PMC12;</ArticleId><ArticleId IdType="doi">10.1/own</ArticleId></ArticleIdList>'
)
CITED_IDS = (
    '<Reference><Citation>Cited</Citation><ArticleIdList><ArticleId IdType="doi">10.1/cited</ArticleId>'
    '<ArticleId IdType="pmc">PMC99</ArticleId></ArticleIdList></Reference>'
)
REFERENCES = (
    f"<ReferenceList><Title>References</Title>{CITED_IDS}<ReferenceList>{CITED_IDS}</ReferenceList>{CITED_IDS}"
    f"</ReferenceList>"
)
PLACE = '<ELocationID EIdType="pii" ValidYN="Y">S1</ELocationID><ELocationID EIdType="doi"{}>10.1/place</ELocationID>'
VALID, INVALID = TITLE + PLACE.format(""), TITLE + PLACE.format(' ValidYN="N"')


@pytest.mark.parametrize(
    ("record", "doi", "pmcid"),
    [
        (Record(VALID, pubmed_data=OWN_IDS + REFERENCES), "10.1/own", "PMC12"),
        (Record(VALID, pubmed_data=REFERENCES + OWN_IDS), "10.1/own", "PMC12"),
        (Record(VALID, pubmed_data=OWN_IDS + REFERENCES + REFERENCES), "10.1/own", "PMC12"),
        (Record(VALID, pubmed_data=REFERENCES), "10.1/place", None),
        (Record(INVALID, pubmed_data=REFERENCES), None, None),
        (Record(TITLE, pubmed_data=REFERENCES), None, None),
        (Record(TITLE, pubmed_data=f"<ReferenceList/>{OWN_IDS}"), "10.1/own", "PMC12"),
        (Record(INVALID, pubmed_data='<ArticleIdList><ArticleId IdType="doi"/></ArticleIdList>'), None, None),
    ],
)
def test_ids_are_the_record_s_own_and_never_a_reference_s(record: Record, doi: str | None, pmcid: str | None) -> None:
    assert (value("doi", record), value("pmcid", record)) == (doi, pmcid)


@pytest.mark.parametrize("instruction", ["<?pmcsd?>", "<?nihms ?>", "<?x <ReferenceList> <Journal> </PubmedData>?>"])
def test_processing_instructions_say_nothing(instruction: str) -> None:
    chemical = "<Chemical><NameOfSubstance>C</NameOfSubstance></Chemical>"
    record = Record(
        f"{TITLE}<PublicationTypeList>{instruction}<PublicationType>T</PublicationType></PublicationTypeList>",
        f"<ChemicalList>{instruction}{chemical}</ChemicalList>",
        instruction + OWN_IDS.replace("</ArticleIdList>", f"{instruction}</ArticleIdList>"),
    )
    found = row(record)
    assert (found["doi"], [term["name"] for term in found["publication_types"]]) == ("10.1/own", ["T"])
    assert [substance["name"] for substance in found["substances"]] == ["C"]


@pytest.mark.parametrize(
    ("pmid", "key"),
    [
        ('<PMID Version="3"> 30271887 </PMID>', (30271887, 3)),
        ("<PMID>12</PMID>", (12, 1)),
        ('<PMID Version="999999999">999999999</PMID>', (999999999, 999999999)),
    ],
)
def test_the_key_is_the_record_s_own_pmid_and_its_version(pmid: str, key: tuple[int, int]) -> None:
    comment = '<CommentsCorrections RefType="Cites"><PMID Version="2">99</PMID></CommentsCorrections>'
    cited = f"<CommentsCorrectionsList>{comment}</CommentsCorrectionsList>"
    assert (value("pmid", Record(pmid=pmid, citation=cited)), value("version", Record(pmid=pmid))) == key


@pytest.mark.parametrize(
    "pmid",
    [
        "",
        "<PMID/>",
        "<PMID>PMC12</PMID>",
        "<PMID>-1</PMID>",
        "<PMID>1.5</PMID>",
        '<PMID Version="one">12</PMID>',
        '<PMID Version="">12</PMID>',
        f"<PMID>{'9' * 10}</PMID>",
        f"<PMID>{'9' * 5000}</PMID>",
        f'<PMID Version="{"9" * 10}">12</PMID>',
    ],
)
def test_a_record_without_a_pmid_is_no_row(pmid: str) -> None:
    rejects = Rejects()
    assert rows(document(Record(pmid=pmid)), rejects) == []
    assert rejects.counts == {"no PMID": 1}


# Corrections


def corrected(*kinds: str) -> Record:
    items = "".join(f'<CommentsCorrections RefType="{kind}"><PMID>9</PMID></CommentsCorrections>' for kind in kinds)
    return Record(citation=f"<CommentsCorrectionsList>{items}</CommentsCorrectionsList>")


def test_corrections_keep_their_kind_and_the_other_article_if_pubmed_has_it() -> None:
    items = (
        '<CommentsCorrections RefType="ErratumIn"><RefSource>J. 2020;1:2</RefSource><PMID Version="1">31</PMID>'
        '<Note>n</Note></CommentsCorrections><CommentsCorrections RefType="CommentOn"><RefSource>K</RefSource>'
        "</CommentsCorrections>"
    )
    record = Record(citation=f"<CommentsCorrectionsList>{items}</CommentsCorrectionsList>")
    assert value("corrections", record) == [{"type": "ErratumIn", "pmid": 31}, {"type": "CommentOn", "pmid": None}]


@pytest.mark.parametrize(
    ("record", "retracted"),
    [
        (corrected("CommentIn", "RetractionIn"), True),
        (corrected("RetractionOf", "ErratumIn", "ExpressionOfConcernIn"), False),
        (Record(TITLE + TYPES.format("D016441")), True),
        (Record(TITLE + TYPES.format("D016440")), False),
        (Record(TITLE + TYPES.format("D1").replace("Renamed Type", "Retracted Publication")), False),
    ],
    ids=["notice", "the notice itself", "type by its number", "type of the notice", "type by its name"],
)
def test_an_article_is_retracted_by_its_notice_or_the_number_of_its_type(record: Record, retracted: bool) -> None:
    assert value("retracted", record) is retracted
