from typing import NamedTuple

import pytest
from lxml import etree

from retrieval.articles import Article, MeshHeading, Qualifier
from retrieval.pubmed_record import Unusable, parse_article, parse_deletions


class Parts(NamedTuple):
    """What a record holds at the places that a test changes."""

    article: str = "<ArticleTitle>A title</ArticleTitle>"
    citation: str = ""
    pubmed_data: str = ""
    pmid: str = '<PMID Version="1">7</PMID>'


def parse(parts: Parts) -> Article | Unusable:
    return parse_article(
        etree.fromstring(
            f"<PubmedArticle><MedlineCitation>{parts.pmid}<Article>{parts.article}</Article>{parts.citation}"
            f"</MedlineCitation><PubmedData>{parts.pubmed_data}</PubmedData></PubmedArticle>"
        )
    )


def parsed(parts: Parts) -> Article:
    article = parse(parts)
    assert isinstance(article, Article)
    return article


def dated(pub_date: str) -> Article:
    issue = f"<Journal><JournalIssue><PubDate>{pub_date}</PubDate></JournalIssue></Journal>"
    return parsed(Parts(article=f"{issue}<ArticleTitle>A title</ArticleTitle>"))


def test_a_record_with_a_title_only_has_empty_fields_elsewhere() -> None:
    assert parsed(Parts()) == Article(7, title="A title", publication_types=[], mesh=[], languages=[])


def test_inline_markup_is_text_and_white_space_is_one_space() -> None:
    title = "\n  BMI &lt; 25 kg/m<sup>2</sup> in <i>E.\u00a0coli <b>O157</b></i>:H7\t(a trial). "
    article = parsed(Parts(article=f"<ArticleTitle>{title}</ArticleTitle>"))
    assert article.title == "BMI < 25 kg/m2 in E. coli O157:H7 (a trial)."


def test_mathematics_is_text() -> None:
    maths = '<m:math xmlns:m="urn:m"><m:msup><m:mi>x</m:mi><m:mn>2</m:mn></m:msup></m:math>'
    assert parsed(Parts(article=f"<ArticleTitle>On {maths}.</ArticleTitle>")).title == "On x2."


def test_the_vernacular_title_stands_in_for_an_empty_one() -> None:
    vernacular = "<VernacularTitle>Briefsammlung.</VernacularTitle>"
    assert parsed(Parts(article=f"<ArticleTitle/>{vernacular}")).title == "Briefsammlung."
    assert parsed(Parts(article=f"<ArticleTitle>[Letters].</ArticleTitle>{vernacular}")).title == "[Letters]."


def test_a_structured_abstract_is_a_line_per_part_with_its_label_as_given() -> None:
    parts = (
        '<AbstractText Label="BACKGROUND" NlmCategory="BACKGROUND">One\n two.</AbstractText>'
        '<AbstractText Label="Key points:">Three.</AbstractText>'
        '<AbstractText Label="" NlmCategory="UNASSIGNED">Four.</AbstractText>'
        '<AbstractText Label="EMPTY"/>'
        "<AbstractText>Five.</AbstractText>"
    )
    copyright_line = "<CopyrightInformation>© 2021</CopyrightInformation>"
    assert parsed(Parts(article=f"<Abstract>{parts}{copyright_line}</Abstract>")).abstract == (
        "BACKGROUND: One two.\nKey points:: Three.\nFour.\nFive."
    )


def test_an_abstract_elsewhere_than_in_the_article_is_not_taken() -> None:
    other = '<OtherAbstract Language="spa"><AbstractText>Hola.</AbstractText></OtherAbstract>'
    assert parsed(Parts(citation=other)).abstract == ""


@pytest.mark.parametrize(
    ("pub_date", "date", "year"),
    [
        ("<Year>2000</Year><Month>Feb</Month><Day>24</Day>", "2000-02-24", 2000),
        ("<Year>2000</Year><Month>02</Month><Day>4</Day>", "2000-02-04", 2000),
        ("<Year>2000</Year><Month>December</Month>", "2000-12", 2000),
        ("<Year>2000</Year>", "2000", 2000),
        ("<Year>1977</Year><Season>Spring</Season>", "1977", 1977),
        ("<MedlineDate>1998 Dec-1999 Jan</MedlineDate>", "1998", 1998),
        ("<MedlineDate>Winter 1977-1978</MedlineDate>", "1977", 1977),
        ("<MedlineDate>1977 Apr 17-21</MedlineDate>", "1977", 1977),
        ("<MedlineDate>undated</MedlineDate>", None, None),
        ("", None, None),
    ],
)
def test_publication_date_is_as_precise_as_its_source(pub_date: str, date: str | None, year: int | None) -> None:
    assert (dated(pub_date).publication_date, dated(pub_date).year) == (date, year)


def test_journal_types_and_languages() -> None:
    article = parsed(
        Parts(
            article="<Journal><Title>Current biology : CB</Title><ISOAbbreviation>Curr Biol</ISOAbbreviation>"
            "</Journal><ArticleTitle>A title</ArticleTitle><Language>eng</Language><Language>fre</Language>"
            '<PublicationTypeList><PublicationType UI="D016428">Journal Article</PublicationType>'
            '<PublicationType UI="D016441">Retracted Publication</PublicationType></PublicationTypeList>'
        )
    )
    assert article.journal == "Current biology : CB"
    assert article.languages == ["eng", "fre"]
    assert article.publication_types == ["Journal Article", "Retracted Publication"]


def test_mesh_marks_the_major_topic_where_the_record_does() -> None:
    headings = (
        '<MeshHeadingList><MeshHeading><DescriptorName UI="D1" MajorTopicYN="N">Cocaine</DescriptorName>'
        '<QualifierName UI="Q1" MajorTopicYN="Y">metabolism</QualifierName>'
        '<QualifierName UI="Q2" MajorTopicYN="N">blood</QualifierName></MeshHeading>'
        '<MeshHeading><DescriptorName MajorTopicYN="Y">Male</DescriptorName></MeshHeading></MeshHeadingList>'
    )
    assert parsed(Parts(citation=headings)).mesh == [
        MeshHeading("Cocaine", False, [Qualifier("metabolism", True), Qualifier("blood", False)]),
        MeshHeading("Male", True, []),
    ]


OWN_IDS = (
    '<ArticleIdList><ArticleId IdType="pubmed">7</ArticleId>'
    '<ArticleId IdType="doi">10.1/own</ArticleId></ArticleIdList>'
)
REFERENCES = (
    "<ReferenceList><Reference><Citation>Cited</Citation><ArticleIdList>"
    '<ArticleId IdType="doi">10.1/cited</ArticleId></ArticleIdList></Reference></ReferenceList>'
)
LOCATION = '<ArticleTitle>A title</ArticleTitle><ELocationID EIdType="doi" ValidYN="{}">10.1/place</ELocationID>'


@pytest.mark.parametrize(
    ("parts", "doi"),
    [
        (Parts(pubmed_data=REFERENCES + OWN_IDS, article=LOCATION.format("Y")), "10.1/own"),
        (Parts(pubmed_data=REFERENCES, article=LOCATION.format("Y")), "10.1/place"),
        (Parts(pubmed_data=REFERENCES, article=LOCATION.format("N")), None),
        (Parts(pubmed_data=REFERENCES), None),
    ],
    ids=["own id", "location", "invalid location", "only references"],
)
def test_a_doi_is_the_record_s_own(parts: Parts, doi: str | None) -> None:
    assert parsed(parts).doi == doi


def test_the_pmid_is_the_record_s_own_with_its_version() -> None:
    comment = '<CommentsCorrections><PMID Version="1">99</PMID></CommentsCorrections>'
    cited = f"<CommentsCorrectionsList>{comment}</CommentsCorrectionsList>"
    article = parsed(Parts(pmid='<PMID Version="3"> 30271887 </PMID>', citation=cited))
    assert (article.pmid, article.version) == (30271887, 3)


@pytest.mark.parametrize(
    ("parts", "unusable"),
    [
        (Parts(pmid=""), Unusable("no PMID", "")),
        (Parts(pmid='<PMID Version="1">PMC12</PMID>'), Unusable("no PMID", "PMC12")),
        (Parts(pmid='<PMID Version="one">12</PMID>'), Unusable("no PMID", "12")),
        (Parts(article="<ArticleTitle> </ArticleTitle>"), Unusable("neither title nor abstract", "7")),
        (Parts(article=""), Unusable("neither title nor abstract", "7")),
    ],
)
def test_a_record_without_pmid_or_text_is_unusable(parts: Parts, unusable: Unusable) -> None:
    assert parse(parts) == unusable


def test_deletions_name_pmid_and_version() -> None:
    element = etree.fromstring(
        '<DeleteCitation><PMID Version="1">5</PMID>\n<PMID Version="2">6</PMID></DeleteCitation>'
    )
    assert list(parse_deletions(element)) == [Article(5, deleted=True), Article(6, version=2, deleted=True)]
