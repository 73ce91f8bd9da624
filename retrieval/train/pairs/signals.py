"""What PubMed's own records say belongs together: an article gives queries to which it is the answer.

What a query is made of is left out of the article's text (`Pair.drop`); else a model would learn to find copies.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from retrieval.articles.article import text_hash
from retrieval.train.pairs.sentences import is_asked_for, is_finding, sentences
from schemas.pair import OwnSignal, Span

SIGNAL_COLUMNS = ["pmid", "title", "abstract", "abstract_sections", "mesh", "keywords", "corrections"]
"""Of an article part: what a `Source` has."""
TITLE_WORDS, ABSTRACT_WORDS = 3, 20
"""At least so many, of a title that is a query and of the abstract that is to be found by it."""
SECTION_WORDS = range(8, 200)
ABOUT = ("CommentOn", "ErratumFor")
"""RefType of what names the article that it is about."""
_REPEATS = re.compile(r"(?:re|reply|response|comments?|commentary|corrections?|corrigendum|errat(?:um|a))\b", re.I)
"""Begins a title that has another one in it."""
FINDINGS, CONCLUSIONS = ("RESULTS",), ("CONCLUSIONS",)
"""NLM's categories of the sections of an abstract."""


class Source(NamedTuple):
    """What queries are made of: columns of an article part."""

    pmid: int
    title: str
    abstract: str
    abstract_sections: Sequence[dict[str, Any]]
    mesh: Sequence[dict[str, Any]]
    keywords: Sequence[str]
    corrections: Sequence[dict[str, Any]]
    alike: int | None = None
    """Another article of the same major topics: see `LinkedArticles`."""

    @property
    def text(self) -> str:
        """What a `Span` counts in."""
        return f"{self.title}\n{self.abstract}"

    def choice(self, salt: str, count: int) -> int:
        """Return a number below `count`, always the same for the same text."""
        return text_hash(self.text, salt) % count


class Asked(NamedTuple):
    """A query to which an article is the answer, and what is left out of the article's text."""

    query: str
    drop: Span = Span(0, 0)
    pmid: int | None = None
    """Of the article that answers it, where that is another one."""


def title(article: Source) -> Iterator[Asked]:
    """Yield the title, asked of the abstract."""
    query = _title(article)
    if query and len(article.abstract.split()) >= ABSTRACT_WORDS:
        yield Asked(query, Span(0, len(article.title)))


def result(article: Source) -> Iterator[Asked]:
    """Yield a sentence that says what was found."""
    return _one_sentence(article, "result", FINDINGS, lambda spans: spans[1:-1])


def conclusion(article: Source) -> Iterator[Asked]:
    """Yield a sentence of the conclusions; of an abstract without sections that is the last one."""
    return _one_sentence(article, "conclusion", CONCLUSIONS, lambda spans: spans[1:][-1:])


def section(article: Source) -> Iterator[Asked]:
    """Yield a section of a structured abstract, asked of the others."""
    spans = [span for _, span in _sections(article) if span.stop - span.start]
    asked = [span for span in spans if len(article.text[span.start : span.stop].split()) in SECTION_WORDS]
    if len(spans) > 1 and asked:
        span = asked[article.choice("section", len(asked))]
        yield Asked(article.text[span.start : span.stop], span)


def mesh(article: Source) -> Iterator[Asked]:
    """Yield the major topics of an article, as one query of keywords."""
    if found := major_topics(article.mesh):
        yield Asked(found)


def keywords(article: Source) -> Iterator[Asked]:
    """Yield the authors' keywords, as one query."""
    if len(article.keywords) > 1:
        yield Asked(", ".join(article.keywords))


def topics(article: Source) -> Iterator[Asked]:
    """Yield the title, asked of another article that has the same major topics."""
    if article.alike is not None and (query := _title(article)):
        yield Asked(query, pmid=article.alike)


def comment(article: Source) -> Iterator[Asked]:
    """Yield the title of a comment or an erratum, asked of the article that it is about; not one that has its title."""
    query = _title(article)
    if query and not _REPEATS.match(query):
        for one in article.corrections:
            if one["type"] in ABOUT and one["pmid"] is not None:
                yield Asked(query, pmid=one["pmid"])


SIGNALS: dict[OwnSignal, Callable[[Source], Iterator[Asked]]] = {
    "title": title,
    "result": result,
    "conclusion": conclusion,
    "section": section,
    "mesh": mesh,
    "keywords": keywords,
    "topics": topics,
    "comment": comment,
}


def major_topics(headings: Sequence[dict[str, Any]]) -> str:
    """Return the major topics among MeSH headings as a query; of fewer than two none is made."""
    found = []
    for heading in headings:
        major = [qualifier["name"] for qualifier in heading["qualifiers"] if qualifier["major"]]
        if heading["major"] or major:
            found.append(" ".join([heading["descriptor"], *major]))
    return ", ".join(found) if len(found) > 1 else ""


def _title(article: Source) -> str:
    """Return the title without the brackets that say that it was translated; nothing, if it is too short to ask for."""
    query = re.sub(r"^\[(.*)\]\.?$", r"\1", article.title.strip()).rstrip(". ")
    return query if len(query.split()) >= TITLE_WORDS else ""


def _one_sentence(
    article: Source, salt: str, categories: tuple[str, ...], of_plain: Callable[[list[Span]], list[Span]]
) -> Iterator[Asked]:
    """Yield a sentence of the sections of some categories; where there are no sections, one that is chosen by place.

    An abstract whose other sentences would not be enough to be found by is left alone.
    """
    begin, sections = len(article.title) + 1, _sections(article)
    if sections:
        spans = [
            Span(span.start + one.start, span.start + one.stop)
            for category, span in sections
            if category in categories
            for one in sentences(article.text[span.start : span.stop])
        ]
    else:
        spans = of_plain([Span(begin + one.start, begin + one.stop) for one in sentences(article.abstract)])
        spans = [s for s in spans if salt != "result" or is_finding(article.text[s.start : s.stop])]
    spans = [span for span in spans if is_asked_for(article.text[span.start : span.stop])]
    if not spans:
        return
    span = spans[article.choice(salt, len(spans))]
    query = article.text[span.start : span.stop]
    if len(article.abstract.split()) - len(query.split()) >= ABSTRACT_WORDS:
        yield Asked(query, span)


def _sections(article: Source) -> list[tuple[str | None, Span]]:
    """Return the category of each section of a structured abstract, and where its text is, without its label."""
    found, at = [], len(article.title) + 1
    for one in article.abstract_sections:
        begin = article.text.find(one["text"], at)
        if begin < 0:
            return []
        at = begin + len(one["text"])
        found.append((one["category"], Span(begin, at)))
    return found
