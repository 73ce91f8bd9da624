"""What the page shows, in every state that it can be in."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote

from starlette.datastructures import QueryParams

from actors.web.middleware.problems import RETRIED
from actors.web.page.page_address import HITS, LAST_PAGE, TERMS, YEARS, AskedSearch, first, given, similar_to
from actors.web.page.page_text import Line, abstract, few_authors, long_date, pieces
from schemas.article import DisplayArticle
from schemas.search import Highlights, Hit, ScoreKind, SearchResponse, VersionInfo

ORDERS: dict[ScoreKind, str] = {
    "inner_product": "inner product of the vectors",
    "logit": "score of the re-ranker",
    "fused": "re-ranker and inner product, fused",
}
STAGES = {"encode": "Encoding the query", "search": "Searching", "rerank": "Re-ranking"}
HEADINGS = {
    HTTPStatus.NOT_FOUND: "There is no such article",
    HTTPStatus.UNPROCESSABLE_ENTITY: "This cannot be searched for",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many people are searching just now",
    HTTPStatus.SERVICE_UNAVAILABLE: "The search does not answer just now",
    HTTPStatus.GATEWAY_TIMEOUT: "The search took too long",
}
ABSTRACTS = {"yes": "with an abstract", "no": "without an abstract"}
FLAGS = {
    "RetractionOf": "Retraction notice",
    "ExpressionOfConcernIn": "Expression of concern",
    "ErratumIn": "Erratum",
}
"""What is told of an article by what NLM says of another one that corrects it, or that it retracts."""
NOTICE_TYPE = "Retraction of Publication"
TITLE_CHARS = 80
"""Of a query in the title of the page."""
NO_MARKS = Highlights(title=(), abstract=())


class Form(NamedTuple):
    """What stands in the form, as it was given."""

    q: str
    similar: str
    """Stays with the filters of a similar search, until there is a query."""
    years: Mapping[str, str]
    terms: Mapping[str, list[str]]
    abstract: str
    retracted: bool
    unranked: bool

    @property
    def settings(self) -> list[str]:
        """What differs from a plain search, in words."""
        told = [f"{name} {year}" for name, year in self.years.items() if year]
        told += [" or ".join(values) for values in self.terms.values() if values]
        told += [ABSTRACTS[self.abstract]] if self.abstract in ABSTRACTS else []
        told += ["retracted articles too"] if self.retracted else []
        return [*told, "without re-ranking"] if self.unranked else told


class ShownHit(NamedTuple):
    """A hit as the page shows it; text is empty where there is none."""

    hit: Hit
    flags: tuple[str, ...]
    """What stands before its title: that it is retracted, or has an erratum."""
    title: Line
    authors: str
    date: str
    pubmed: str
    doi: str
    similar: str
    lead: list[Line]
    rest: list[Line]
    order: str


class Link(NamedTuple):
    """Where to go from here."""

    text: str
    address: str


class View(NamedTuple):
    """All that the template is told."""

    form: Form
    info: VersionInfo
    status: HTTPStatus = HTTPStatus.OK
    asked: AskedSearch | None = None
    wrong: Mapping[str, str] = {}
    """By name of the parameter what is wrong with it."""
    problem: str = ""
    """Why there is no answer."""
    response: SearchResponse | None = None
    source: str = ""
    """The address on PubMed of the article to which others are similar."""
    hits: tuple[ShownHit, ...] = ()
    before: str = ""
    """The address of the page before this one."""
    after: str = ""
    advice: tuple[Link, ...] = ()

    @property
    def title(self) -> str:
        if self.wrong or self.problem:
            return f"Error: {self.heading} – pubray"
        if not (self.asked and self.response):
            return "pubray: search PubMed by meaning"
        page = f", page {self.asked.page}" if self.asked.page > 1 else ""
        return f"{'Similar to ' if self.asked.similar else ''}{shortened(self.response.query)}{page} – pubray"

    @property
    def heading(self) -> str:
        """What kept the service from answering."""
        return HEADINGS.get(self.status, self.status.phrase)

    @property
    def stages(self) -> dict[str, float]:
        spent = self.response.milliseconds if self.response else {}
        return {STAGES.get(name, name): value for name, value in spent.items()}


def read_form(parameters: QueryParams) -> Form:
    """Read what is to stand in the form again."""
    return Form(
        q=first(parameters, "q"),
        similar="" if first(parameters, "q") else first(parameters, "similar"),
        years={name: first(parameters, name) for name in YEARS},
        terms={name: given(parameters, name) for name in TERMS},
        abstract=first(parameters, "abstract"),
        retracted=first(parameters, "retracted") == "1",
        unranked=first(parameters, "rerank") == "0",
    )


def failed(asked: AskedSearch, form: Form, info: VersionInfo, status: HTTPStatus, problem: str) -> View:
    """Show why there is no answer, and what helps."""
    advice = []
    if status in RETRIED:
        advice.append(Link("Try again", asked.address))
    if status is HTTPStatus.GATEWAY_TIMEOUT and asked.request.rerank:
        advice.append(Link("Search without re-ranking, which is faster", asked.but(rerank=False).address))
    if status is HTTPStatus.UNPROCESSABLE_ENTITY and asked.request.filters:
        advice.append(Link("Search without filters", asked.plain.address))
    return View(form, info, status, asked, problem=problem, advice=(*advice, Link("Start anew", "./")))


def answered(asked: AskedSearch, form: Form, info: VersionInfo, response: SearchResponse) -> View:
    """Show the hits of a page, or what helps where there are none."""
    hits = response.hits[:HITS]
    more = len(response.hits) > HITS and asked.page < LAST_PAGE
    return View(
        form=form,
        info=info,
        asked=asked,
        response=response,
        source=pubmed(asked.request.queries[0]) if asked.similar else "",
        hits=tuple(map(shown, hits)),
        before=asked.on_page(asked.page - 1).address if asked.page > 1 else "",
        after=asked.on_page(asked.page + 1).address if more else "",
        advice=() if hits else _advice(asked),
    )


def shown(hit: Hit) -> ShownHit:
    """Return a hit as the page shows it."""
    marks, article = hit.highlights or NO_MARKS, hit.article
    lead, rest = abstract(article.abstract, marks.abstract)
    return ShownHit(
        hit=hit,
        flags=_flags(article),
        title=pieces(article.title, marks.title, 0, len(article.title)),
        authors=few_authors(article.authors),
        date=long_date(article.publication_date or str(article.year or "")),
        pubmed=pubmed(hit.id),
        doi=f"https://doi.org/{quote(article.doi)}" if article.doi else "",
        similar=similar_to(hit.id).address,
        lead=lead,
        rest=rest,
        order=ORDERS[hit.score_kind],
    )


def _flags(article: DisplayArticle) -> tuple[str, ...]:
    said = {correction.type for correction in article.corrections or ()}
    said |= {"RetractionOf"} if NOTICE_TYPE in article.publication_types else set()
    told = [FLAGS[kind] for kind in FLAGS if kind in said]
    return ("Retracted", *told) if article.retracted else tuple(told)


def shortened(text: str) -> str:
    """Return the beginning of a text, for a title."""
    return text if len(text) <= TITLE_CHARS else f"{text[:TITLE_CHARS].rstrip()}…"


def pubmed(id_: str) -> str:
    """Return the address of an article on PubMed; nothing for an id that is no PMID."""
    return f"https://pubmed.ncbi.nlm.nih.gov/{id_}/" if re.fullmatch("[1-9][0-9]{0,8}", id_) else ""


def _advice(asked: AskedSearch) -> tuple[Link, ...]:
    if asked.page > 1:
        return (Link("Go to the first page", asked.on_page(1).address),)
    advice = [Link("Search without filters", asked.plain.address)] if asked.request.filters else []
    if not asked.request.include_retracted:
        advice.append(Link("Include retracted articles", asked.but(include_retracted=True).address))
    return tuple(advice)
