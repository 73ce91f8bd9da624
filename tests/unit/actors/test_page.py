"""The page as a browser without JavaScript gets it, in process."""

import asyncio
import logging
import re
from functools import cache
from typing import Any, cast
from urllib.parse import quote, urlencode

import httpx
import pytest
from fastapi import FastAPI
from lxml import etree, html

from actors.api import create_app
from actors.page import MEDIA_TYPES
from actors.page_address import LAST_PAGE
from actors.ranking import Ranking
from actors.service import SearchService
from actors.versions import Versions
from schemas.article import DisplayArticle
from schemas.errors import DeadlineError, NotReadyError, OverloadedError, ServiceError
from schemas.protocols import Key, Lookup, Match, RerankScore, Scoring, Stored
from tests.unit.actors.catalogue import ARTICLES, BY_HAND, Catalogue, Words
from tests.unit.actors.seams import SECONDS, VERSION, Favours


def service(catalogue: Catalogue | None = None, reranker: Any = None) -> SearchService:
    ranking = Ranking(reranker, "favours", "logit", 5, SECONDS) if reranker else None
    return SearchService(Versions(VERSION), Words(), catalogue or Catalogue(), ranking)


SERVICE = service()


@cache
def app(of: SearchService) -> FastAPI:
    return create_app(of, SECONDS)


def get(path: str, of: SearchService = SERVICE, **request: Any) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app(of))
        async with httpx.AsyncClient(transport=transport, base_url="http://pubray") as client:
            return await client.request(request.pop("method", "GET"), path, **request)

    return asyncio.run(send())


def squeezed(element: etree._Element) -> str:
    return " ".join(str(element.xpath("string()")).split())


class Page:
    """What a reader sees of an answer."""

    def __init__(self, answer: httpx.Response) -> None:
        self.status, self.answer = answer.status_code, answer
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        self.root = html.fromstring(answer.text)

    def elements(self, path: str) -> list[etree._Element]:
        return cast("list[etree._Element]", self.root.xpath(path))

    def values(self, path: str) -> list[str]:
        return [str(value) for value in cast("list[str]", self.root.xpath(path))]

    def texts(self, path: str) -> list[str]:
        return [squeezed(element) for element in self.elements(path)]

    def text(self, path: str) -> str:
        [text] = self.texts(path)
        return text

    def links(self, text: str) -> list[str]:
        return [str(a.get("href")) for a in self.root.iter("a") if squeezed(a) == text]

    @property
    def titles(self) -> list[str]:
        return self.texts("//h2")


def page(of: SearchService = SERVICE, /, **parameters: Any) -> Page:
    return Page(get(f"/?{urlencode(parameters, doseq=True)}", of))


def follow(link: str, of: SearchService = SERVICE) -> Page:
    return Page(get(link.removeprefix("."), of))


class Failing(Catalogue):
    """A catalogue that does not answer."""

    def __init__(self, error: ServiceError) -> None:
        super().__init__()
        self._error = error

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        raise self._error

    async def stored(self, keys: list[Key]) -> list[Stored | None]:
        raise self._error


class Broken:
    """A re-ranker that does not answer."""

    async def score(self, scorings: list[Scoring]) -> list[list[RerankScore]]:
        raise OverloadedError("the re-ranker has too much to do")


def one(**fields: Any) -> SearchService:
    """Return a service over one article."""
    return service(Catalogue([BY_HAND[0]._replace(**fields)]))


def test_the_page_begins_with_a_form() -> None:
    start = page()
    assert start.status == 200
    assert start.text("//title") == "pubray: search PubMed by meaning"
    assert start.values("//form[@role='search']/@action") == ["./"]
    assert start.elements("//input[@name='q'][@autofocus]")
    assert "6 articles" in start.text("//footer")
    assert start.links("API") == ["openapi.json"]


def test_a_search_shows_articles() -> None:
    found = page(q="statins and muscle pain")
    assert (found.status, len(found.titles)) == (200, 10)
    assert found.text("//title") == "statins and muscle pain – pubray"
    assert found.text("//h1") == "Results for statins and muscle pain"
    assert found.values("//ol/li/@value") == [str(rank) for rank in range(1, 11)]
    assert found.values("//input[@name='q']/@value") == ["statins and muscle pain"]
    assert found.values("//link[@rel='canonical']/@href") == ["./?q=statins+and+muscle+pain"]


def test_an_article_is_shown_with_its_record() -> None:
    shown = page(one(), q="statins")
    assert shown.links(BY_HAND[0].title) == ["https://pubmed.ncbi.nlm.nih.gov/33627334/"]
    assert shown.text("//p[@class='source']") == (
        "Lovelace AK, Hopper G, Noether E, et al. BMJ (Clinical research ed.) 24 February 2021"
    )
    assert shown.values("//time/@datetime")[0] == "2021-02-24"
    assert shown.links("doi:10.1136/made.n135") == ["https://doi.org/10.1136/made.n135"]
    assert shown.links("Similar articles") == ["./?similar=33627334"]
    assert shown.texts("//article/p/b") == ["BACKGROUND:"]
    assert shown.texts("//details[@class='rest']//b") == ["METHODS:", "RESULTS:", "CONCLUSIONS:"]
    assert "Randomized Controlled Trial" in shown.text("//article//dl")


def test_what_an_article_lacks_is_left_out() -> None:
    bare = DisplayArticle(7, "doc/a&b", "", "", "", None, None, None)
    shown = page(service(Catalogue([bare])), q="statins")
    assert shown.titles == ["No title"]
    assert shown.text("//p[@class='source']") == ""
    assert shown.texts("//article/p[@class='none']") == ["No abstract."]
    assert [a.get("href") for a in shown.elements("//ol//a")] == ["./?similar=doc%2Fa%26b"]


def test_words_of_the_query_are_marked() -> None:
    shown = page(one(), q="muscle pain")
    assert shown.texts("//h2//mark") == ["muscle"]
    assert shown.texts("//article/p/mark") == ["muscle", "pain", "pain"]


def test_a_retracted_article_says_so() -> None:
    assert not any("Retracted" in title for title in page(q="statins").titles)
    assert [t for t in page(q="statins", retracted="1").titles if "Retracted" in t] == [
        "Retracted Coenzyme Q10 abolishes muscle pain under statins."
    ]


MARKUP = '<script>alert("1")</script> & "quotes" \'</title>'


def test_text_is_never_markup() -> None:
    evil = one(title=MARKUP, abstract=f"statin {MARKUP}", journal=MARKUP, authors=(MARKUP,), doi=f"10.1/{MARKUP}")
    query = {"q": f"statin {MARKUP}"}
    for parameters in (query, {"similar": "33627334"}, {"q": "x", "type": MARKUP}, {"similar": MARKUP}):
        shown = page(evil, **parameters)
        assert len(shown.elements("//script")) == 1  # the page's own
        assert all(script.get("src") for script in shown.elements("//script"))
        assert "<script>alert" not in shown.answer.text
    shown = page(evil, q=f"statin {MARKUP}")
    assert shown.titles == [MARKUP]
    assert shown.text("//article/p[2]") == f"statin {MARKUP}"
    assert shown.text("//cite") == MARKUP
    assert shown.values("//input[@name='q']/@value") == [f"statin {MARKUP}"]
    assert shown.links(f"doi:10.1/{MARKUP}") == [f"https://doi.org/{quote(f'10.1/{MARKUP}')}"]
    assert '<script>alert("1")</script> & "quotes"' in page(evil, similar=MARKUP).text("//div[@role='alert']")


def test_markup_within_a_marked_title_is_text_too() -> None:
    assert '"muscle pain"' in page(one(title=BY_HAND[4].title), q='"muscle pain"').titles[0]
    shown = page(service(Catalogue([BY_HAND[4]])), q="<i> SLCO1B1")
    assert shown.elements("//h2//i | //article//p//i") == []
    assert shown.text("//article/p[2]") == BY_HAND[4].abstract


def test_the_form_keeps_what_was_filtered_by() -> None:
    filters = {"from": "2015", "to": "2021", "type": ["Review", "Randomized Controlled Trial"], "abstract": "yes"}
    found = page(q="statins", retracted="1", rerank="0", **filters)
    assert len(found.titles) == 2
    assert found.text("//details[@class='filters']/summary") == (
        "Filters: from 2015 · to 2021 · Review or Randomized Controlled Trial · with an abstract · "
        "retracted articles too · without re-ranking"
    )
    assert found.values("//input[@name='from' or @name='to']/@value") == ["2015", "2021"]
    assert found.values("//input[@name='type']/@value") == ["Review", "Randomized Controlled Trial", ""]
    assert found.values("//option[@selected]/@value") == ["yes"]
    assert found.values("//input[@checked]/@name") == ["retracted", "rerank"]
    assert found.links("Clear all filters") == ["./?q=statins"]


def test_every_field_has_a_label_of_its_own() -> None:
    found = page(q="statins", type=["Review", "Letter"])
    ids = found.values("//@id")
    assert len(ids) == len(set(ids))
    labelled, within_labels = found.values("//label/@for"), found.elements("//label/*")
    for field in found.elements("//form//input[not(@type='hidden')] | //select"):
        assert field.get("id") in labelled or field in within_labels or field.get("aria-label")
    for reference in found.values("//@aria-describedby | //@aria-labelledby | //input/@list"):
        assert reference in ids


def test_pages_lead_to_one_another() -> None:
    first = page(q="muscle pain", type="Observational Study")
    assert first.links("Previous") == []
    second = follow(first.links("Next")[0])
    assert second.values("//ol/li/@value")[0] == "11"
    assert second.text("//title") == "muscle pain, page 2 – pubray"
    last = follow(second.links("Next")[0])
    assert (len(last.titles), last.links("Next")) == (4, [])
    assert len({*first.titles, *second.titles, *last.titles}) == 24
    assert follow(last.links("Previous")[0]).titles == second.titles
    assert follow(second.links("Previous")[0]).titles == first.titles


def test_a_page_that_is_full_and_last_has_no_next() -> None:
    assert page(service(Catalogue(ARTICLES[-10:])), q="muscle").links("Next") == []
    assert page(service(Catalogue(ARTICLES[-11:])), q="muscle").links("Next") == ["./?q=muscle&page=2"]


def test_there_is_no_page_beyond_the_last() -> None:
    many = service(Catalogue([BY_HAND[0]._replace(pmid=i) for i in range(1, 1100)]))
    for parameters in ({"q": "statins"}, {"similar": "5"}):
        last = page(many, page=LAST_PAGE, **parameters)
        assert (len(last.titles), last.links("Next")) == (10, [])


def test_similar_articles_are_shown_without_the_article_itself() -> None:
    found = page(similar="33627334")
    assert found.status == 200
    assert found.text("//title").startswith("Similar to Statin treatment")
    assert found.links(BY_HAND[0].title) == ["https://pubmed.ncbi.nlm.nih.gov/33627334/"]
    assert BY_HAND[0].title not in found.titles
    assert BY_HAND[1].title in found.titles
    assert found.values("//input[@name='similar']/@value") == ["33627334"]
    assert follow(found.links("Next")[0]).values("//ol/li/@value")[0] == "11"


def test_similar_articles_are_filtered() -> None:
    assert page(similar="33627334", type="Review").titles == [BY_HAND[1].title]


def test_an_article_that_the_query_names_says_so() -> None:
    found = page(q="25694464")
    assert found.titles[0] == BY_HAND[1].title
    assert "Named by the query" in found.text("//li[1]")
    assert "Named by the query" not in found.text("//li[2]")


def test_how_articles_were_found_is_told() -> None:
    reranked = page(service(reranker=Favours({18650507: 9.0, 33627334: -1.5})), q="statins and muscle pain")
    assert "re-ranked by favours" in reranked.text("//details[@id='how']")
    assert "9, score of the re-ranker (comparable between queries)" in reranked.text("//li[1]//dl")
    assert "Re-ranker has not seen it" in reranked.text("//li[6]//dl").replace("Re-rankerhas", "Re-ranker has")
    how = page(q="statins").text("//details[@id='how']")
    assert "as retrieved" in how
    assert "v1" in how
    assert re.search(r"Searching\s?[0-9.]+ ms", how)


def test_a_search_without_reranking_can_be_had() -> None:
    plain = page(service(reranker=Favours({18650507: 9.0})), q="statins and muscle pain", rerank="0")
    assert plain.titles == page(q="statins and muscle pain").titles


def test_it_is_told_that_and_why_hits_are_not_reranked() -> None:
    degraded = page(service(reranker=Broken()), q="statins")
    assert degraded.status == 200
    assert "not re-ranked because the re-ranker has too much to do" in degraded.text("//details[@id='how']")
    assert "in the order of retrieval" in degraded.text("//p[@class='notice']")


def test_no_hits_are_met_with_advice() -> None:
    empty = page(q="statins", **{"from": "2090"})
    assert (empty.status, empty.titles, empty.text("//h1")) == (200, [], "No article found")
    assert len(follow(empty.links("Search without filters")[0]).titles) == 10
    assert empty.links("Include retracted articles") == ["./?q=statins&from=2090&retracted=1"]
    beyond = page(q="statins", page="9")
    assert "There is no page 9" in beyond.text("//main")
    assert len(follow(beyond.links("Go to the first page")[0]).titles) == 10
    assert page(service(Catalogue([])), q="statins").text("//h1") == "No article found"


def test_wrong_values_are_named_beside_their_fields() -> None:
    wrong = page(q="statins", abstract="maybe", page="0", **{"from": "last year"})
    assert wrong.status == 422
    assert wrong.text("//title") == "Error: This cannot be searched for – pubray"
    assert wrong.values("//div[@role='alert']//a/@href") == ["#from", "#abstract"]
    assert "page takes a whole number" in wrong.text("//div[@role='alert']")
    assert wrong.values("//input[@name='from']/@aria-describedby") == ["from-wrong"]
    assert wrong.text("//p[@id='from-wrong']") == "year takes a whole number up to 9999"
    assert wrong.values("//input[@name='from']/@value") == ["last year"]
    assert wrong.values("//details[@class='filters']/@open")


def test_a_term_that_no_article_has_is_named() -> None:
    wrong = page(q="statins", type="Reviewe")
    assert wrong.status == 422
    assert "no article has type 'Reviewe'" in wrong.text("//div[@role='alert']")
    assert wrong.links("Search without filters") == ["./?q=statins"]


def test_an_unknown_article_is_not_found() -> None:
    unknown = page(similar="7")
    assert (unknown.status, unknown.text("//h1")) == (404, "There is no such article")
    assert "article '7'" in unknown.text("//div[@role='alert']")
    assert "retry-after" not in unknown.answer.headers


@pytest.mark.parametrize("parameters", [{"q": "statins"}, {"similar": "33627334"}])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OverloadedError("the encoder has too much to do"), 429),
        (NotReadyError("the searcher has no version v1"), 503),
        (DeadlineError("no answer within 5 s"), 504),
    ],
)
def test_a_service_that_fails_says_so_and_when_to_come_again(
    error: ServiceError, status: int, parameters: dict[str, str]
) -> None:
    failed = page(service(Failing(error)), **parameters)
    assert (failed.status, failed.answer.headers["retry-after"]) == (status, "1")
    assert failed.text("//div[@role='alert']") == str(error)
    assert failed.links("Try again") == [f"./?{urlencode(parameters)}"]
    assert bool(failed.links("Search without re-ranking, which is faster")) == (status == 504 and "q" in parameters)


@pytest.mark.parametrize("path", ["/", "/?q=statins", "/?q=statins&page=x", "/?similar=7", "/static/page.css"])
def test_every_answer_is_secure(path: str) -> None:
    headers = get(path).headers
    assert headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_nothing_within_the_page_breaks_its_policy() -> None:
    shown = page(q="statins", type=["Review"])
    assert shown.elements("//@style | //style | //script[not(@src)]") == []
    assert shown.values("//@*[starts-with(name(), 'on')]") == []
    sources = shown.values("//script/@src | //link[@rel!='canonical']/@href | //img/@src")
    assert [source for source in sources if not source.startswith("static/")] == []


def test_a_static_file_is_kept_for_as_long_as_it_is_the_same() -> None:
    for source in page().values("//script/@src | //link/@href"):
        answer = get(f"/{source}")
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True)
        name = source.split("/")[1].split("?")[0]
        assert answer.headers["content-type"].split(";")[0] == MEDIA_TYPES[name]
        again = get(f"/{source}", headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        for other in (f"/static/{name}", f"/static/{name}?v=older"):
            assert get(other).headers["cache-control"] == "no-cache"
            assert get(other).content == answer.content


@pytest.mark.parametrize("name", ["page.html", "..%2fapi.py", "none.css"])
def test_nothing_but_the_pages_files_is_given_away(name: str) -> None:
    assert get(f"/static/{name}").status_code == 404


def test_what_was_asked_is_not_kept() -> None:
    assert get("/?q=statins").headers["cache-control"] == "no-cache, private"


def test_a_search_is_logged_as_the_apis_are_without_its_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pubray.requests")
    for path in ("/?q=statins", "/?similar=33627334"):
        get(path)
        fields = caplog.records[-1].__dict__["fields"]
        assert (fields["version"], "search" in fields["stages"], "query" in fields) == ("v1", True, False)


def test_a_head_request_is_answered() -> None:
    assert get("/", method="HEAD").status_code == 200


def test_the_page_is_small() -> None:
    assert len(get("/").content) < 8_000
    assert sum(len(get(f"/static/{name}").content) for name in MEDIA_TYPES) < 12_000


def test_the_page_is_no_part_of_the_described_api() -> None:
    assert not [path for path in get("/openapi.json").json()["paths"] if path == "/" or path.startswith("/static")]
