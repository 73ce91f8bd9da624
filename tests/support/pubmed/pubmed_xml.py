"""Hand-made PubMed XML, and the rows that it gives."""

from io import BytesIO
from typing import Any, NamedTuple

from retrieval.articles.article import Rejects, article_batches
from retrieval.ingest.pubmed.stream import read_pubmed_xml

HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, '
    '1st January 2025//EN" "https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">\n'
)
TITLE = "<ArticleTitle>A title</ArticleTitle>"

Row = dict[str, Any]


class Record(NamedTuple):
    """A PubmedArticle: what it holds at the places that a test changes."""

    article: str = TITLE
    citation: str = ""
    pubmed_data: str = ""
    pmid: str = '<PMID Version="1">7</PMID>'
    attributes: str = ""

    def __str__(self) -> str:
        return (
            f"<PubmedArticle><MedlineCitation{self.attributes}>{self.pmid}<Article>{self.article}</Article>"
            f"{self.citation}</MedlineCitation><PubmedData>{self.pubmed_data}</PubmedData></PubmedArticle>"
        )


def article(pmid: int, title: str = "A title") -> str:
    """A PubmedArticle with a title only."""
    return f"{Record(f'<ArticleTitle>{title}</ArticleTitle>', pmid=f'<PMID>{pmid}</PMID>')}\n"


def document(*records: object) -> bytes:
    """A file of records."""
    return f"{HEAD}<PubmedArticleSet>\n{''.join(map(str, records))}</PubmedArticleSet>\n".encode()


def rows(data: bytes, rejects: Rejects | None = None) -> list[Row]:
    """What a file gives."""
    batches = article_batches(read_pubmed_xml(BytesIO(data), "p.xml", Rejects() if rejects is None else rejects))
    return [row for batch in batches for row in batch.to_pylist()]


def row(record: object) -> Row:
    """What one record gives, as it is and with a comment, which leaves it to the tree."""
    start, tag, rest = str(record).partition(">")
    [found] = rows(document(record))
    [by_tree] = rows(document(start, tag, "<!-- not plain -->", rest))
    assert found == by_tree
    return found
