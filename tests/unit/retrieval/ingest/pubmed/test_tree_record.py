"""PubmedBookArticle: chapters and whole books, by hand, and the rows that they give."""

from typing import NamedTuple

import pytest

from retrieval.articles.article import Rejects
from tests.support.pubmed.pubmed_xml import Row, document, row, rows


class Book(NamedTuple):
    """A PubmedBookArticle: what it holds at the places that a test changes."""

    document: str = ""
    book: str = "<BookTitle book='b'>Gene <i>Reviews</i></BookTitle>"
    pmid: str = '<PMID Version="1">20301295</PMID>'
    data: str = ""

    def __str__(self) -> str:
        return (
            f"<PubmedBookArticle><BookDocument>{self.pmid}<ArticleIdList>"
            '<ArticleId IdType="bookaccession">NBK1116</ArticleId></ArticleIdList>'
            f"<Book><Publisher><PublisherName>UW</PublisherName></Publisher>{self.book}</Book>{self.document}"
            f"</BookDocument><PubmedBookData>{self.data}</PubmedBookData></PubmedBookArticle>"
        )


CHAPTER = '<ArticleTitle book="gene" part="x">Cystic  Fibrosis</ArticleTitle>'


def said(found: Row) -> Row:
    hashes = ("text_hash", "record_hash")
    return {name: value for name, value in found.items() if value not in (None, "", [], 0) and name not in hashes}


def test_a_chapter_has_its_title_and_the_book_s_in_the_place_of_the_journal_s() -> None:
    assert said(row(Book(CHAPTER))) == {
        "pmid": 20301295,
        "version": 1,
        "book": True,
        "title": "Cystic Fibrosis",
        "journal": "Gene Reviews",
    }


@pytest.mark.parametrize("title", ["", "<ArticleTitle/>"])
def test_a_whole_book_has_the_book_s_title_for_both(title: str) -> None:
    found = row(Book(title))
    assert (found["title"], found["journal"]) == ("Gene Reviews", "Gene Reviews")


def test_a_vernacular_title_goes_before_the_book_s() -> None:
    vernacular = "<VernacularTitle>Mukoviszidose</VernacularTitle>"
    found = row(Book(vernacular))
    assert (found["title"], found["vernacular_title"]) == ("Mukoviszidose", "Mukoviszidose")
    assert row(Book(CHAPTER + vernacular))["title"] == "Cystic Fibrosis"


def test_abstract_language_types_keywords_and_agencies_lie_in_the_document() -> None:
    found = row(
        Book(
            f"{CHAPTER}<Language>eng</Language>"
            '<PublicationType UI="D016454">Review</PublicationType><PublicationType UI="D1">Two</PublicationType>'
            '<Abstract><AbstractText Label="CLINICAL">One <b>a</b>.</AbstractText></Abstract>'
            "<Sections><Section><SectionTitle>Summary</SectionTitle></Section></Sections>"
            '<KeywordList Owner="NLM"><Keyword>CFTR</Keyword></KeywordList>'
            "<KeywordList><Keyword>CFTR</Keyword><Keyword>b</Keyword></KeywordList>"
            "<DateRevised><Year>2022</Year><Month>11</Month><Day>3</Day></DateRevised>"
            "<GrantList><Grant><Agency>NIH</Agency></Grant></GrantList>"
        )
    )
    assert (found["abstract"], found["languages"], found["keywords"]) == ("CLINICAL: One a.", ["eng"], ["CFTR", "b"])
    assert found["abstract_sections"] == [{"label": "CLINICAL", "category": None, "text": "One a."}]
    assert [tuple(term.values()) for term in found["publication_types"]] == [("D016454", "Review"), ("D1", "Two")]
    assert (found["date_revised"], found["grant_agencies"]) == ("2022-11-03", ["NIH"])


def test_volume_and_pages() -> None:
    book = Book(f"{CHAPTER}<Pagination><StartPage>3</StartPage><EndPage>9</EndPage></Pagination>")
    found = row(book._replace(book=f"{book.book}<Volume>2</Volume>"))
    assert (found["volume"], found["pages"]) == ("2", "3-9")


PUBLISHED = "<PubDate><Year>1993</Year></PubDate><BeginningDate><Year>1990</Year></BeginningDate>"
CONTRIBUTED = "<ContributionDate><Year>2001</Year><Month>Mar</Month><Day>26</Day></ContributionDate>"


def test_a_chapter_without_a_date_of_the_book_has_that_of_its_contribution() -> None:
    found = row(Book(CHAPTER + CONTRIBUTED))
    assert (found["publication_date"], found["year"]) == ("2001-03-26", 2001)
    assert row(Book(CHAPTER))["publication_date"] is None


def test_a_whole_book_has_the_date_of_its_publication_and_not_of_its_beginning() -> None:
    assert row(Book(book=Book().book + PUBLISHED))["publication_date"] == "1993"


def people(kind: str, *names: str) -> str:
    authors = "".join(f"<Author><LastName>{name}</LastName></Author>" for name in names)
    return f"<AuthorList{kind}>{authors}</AuthorList>"


AUTHORS, EDITORS = ' Type="authors" CompleteYN="Y"', ' Type="editors" CompleteYN="Y"'


@pytest.mark.parametrize(
    ("of_chapter", "of_book", "names"),
    [
        (people(AUTHORS, "A", "B"), people(EDITORS, "E"), ["A", "B"]),
        ("", people(EDITORS, "E") + people(AUTHORS, "A"), ["A"]),
        ("", people("", "A"), ["A"]),
        ("", people(EDITORS, "E"), []),
        (people(AUTHORS, "A"), people(AUTHORS, "B"), ["A"]),
        (people(EDITORS, "E") + people(AUTHORS, "A") + people(AUTHORS, "B"), "", ["A", "B"]),
        ("<InvestigatorList><Investigator><LastName>I</LastName></Investigator></InvestigatorList>", "", []),
    ],
    ids=["chapter", "book", "no type", "editors", "chapter first", "several lists", "investigators"],
)
def test_authors_are_the_chapter_s_else_the_book_s_and_never_editors(
    of_chapter: str, of_book: str, names: list[str]
) -> None:
    found = row(Book(CHAPTER + of_chapter, Book().book + of_book))
    assert [author["last_name"] for author in found["authors"]] == names


def test_the_doi_is_the_document_s_own() -> None:
    ids = "<ArticleIdList><ArticleId IdType='doi'>{}</ArticleId></ArticleIdList>"
    references = (
        f"<ReferenceList><Reference>{ids.format('10.1/cited')}</Reference></ReferenceList>"
        f"<ReferenceList><ReferenceList/></ReferenceList>"
    )
    place = '<ELocationID EIdType="doi">10.1/book</ELocationID>'
    cited = Book(CHAPTER + references, Book().book + place)
    assert row(cited)["doi"] is None
    own = str(cited).replace("</ArticleIdList>", "<ArticleId IdType='doi'>10.1/own</ArticleId></ArticleIdList>", 1)
    assert row(own)["doi"] == "10.1/own"


def test_the_history_of_a_record_says_nothing() -> None:
    history = "<History><PubMedPubDate><Year>2010</Year></PubMedPubDate></History>"
    assert row(Book(CHAPTER, data=history)) == row(Book(CHAPTER))


def test_a_book_without_title_or_pmid_is_unusable_or_dropped() -> None:
    rejects = Rejects()
    [found] = rows(document(Book(book=""), Book(CHAPTER, pmid="")), rejects)
    assert (found["pmid"], found["unusable"], found["book"]) == (20301295, True, True)
    assert rejects.samples == {
        "neither title nor abstract": ["p.xml record 1, PMID 20301295"],
        "no PMID": ["p.xml record 2"],
    }


def test_a_set_of_books_is_read_too() -> None:
    [found] = rows(f"<PubmedBookArticleSet>{Book(CHAPTER)}</PubmedBookArticleSet>".encode())
    assert found["title"] == "Cystic Fibrosis"
