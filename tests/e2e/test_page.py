"""The page in Chromium, over made articles."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from actors.search.served_versions import ServedVersions
from actors.service.search_service import SearchService
from actors.service.second_stage import Reranking
from actors.web.api import create_app
from schemas.errors import OverloadedError
from schemas.protocols import Lookup, Match, RerankScore, Scoring
from tests.support.browser import NEEDS_CHROMIUM, assert_accessible, chromium, keep
from tests.support.service.catalogue import ARTICLES, BY_HAND, Catalogue, Words
from tests.support.service.seams import SECONDS, VERSION
from tests.support.service.serving import served

DESKTOP, MOBILE = (1100, 900), (360, 740)

pytestmark = NEEDS_CHROMIUM


class Overlap:
    """Scores articles by how many words of the query their titles have."""

    async def score(self, scorings: list[Scoring]) -> list[list[RerankScore]]:
        return [[self._score(one.query.text, match) for match in one.matches] for one in scorings]

    def _score(self, query: str, match: Match) -> RerankScore:
        words = _words(query)
        score = len(words & _words(match.article.title)) / len(words)
        return RerankScore(raw=score, final=score)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


class Busy(Catalogue):
    """A catalogue that is asked too much for one query."""

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        if any(lookup.name == "too much" for lookup in lookups):
            raise OverloadedError("the searcher has too much to do; try again in a second")
        return await super().search(lookups)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the page is served."""
    version = VERSION.model_copy(update={"articles": len(ARTICLES)})
    service = SearchService(
        ServedVersions(version), Words(), Busy(), Reranking(Overlap(), "overlap", "logit", 20, SECONDS)
    )
    with served(create_app(service, SECONDS)) as url:
        yield f"{url}/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@contextmanager
def opened(browser: Browser, address: str, size: tuple[int, int] = DESKTOP, **settings: Any) -> Iterator[Page]:
    """Open a page that may load nothing but what the service gives, and must not complain."""
    context = browser.new_context(
        base_url=address, viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce", **settings
    )
    strange: list[str] = []

    def guard(route: Route) -> None:
        if route.request.url.startswith(address):
            route.continue_()
        else:
            strange.append(route.request.url)
            route.abort()

    context.route("**/*", guard)
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: strange.append(str(error)))
    page.on("console", lambda message: strange.append(message.text) if "Content Security" in message.text else None)
    yield page
    context.close()
    assert strange == []


def titles(page: Page) -> Locator:
    return page.get_by_role("main").get_by_role("heading", level=2)


def assert_fits(page: Page) -> None:
    """Check that nothing is wider than the window."""
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0


def test_a_search_needs_no_more_than_the_keyboard(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        page.goto("./")
        expect(page.get_by_label("Query")).to_be_focused()
        page.keyboard.type("statins and muscle pain")
        page.keyboard.press("Enter")
        expect(titles(page)).to_have_count(10)
        expect(page).to_have_title("statins and muscle pain – pubray")
        assert page.url == f"{address}?q=statins+and+muscle+pain"  # blank fields are left out
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the results")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"#main$"))
        page.keyboard.press("Tab")
        expect(page.locator("h2 a").first).to_be_focused()
        page.keyboard.press("/")
        expect(page.get_by_label("Query")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")  # opens the filters
        page.keyboard.press("Tab")
        expect(page.get_by_label("Year from")).to_be_focused()
        page.keyboard.type("20/")  # typed there, and no way to the query
        page.keyboard.press("Backspace")
        page.keyboard.type("15")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        expect(page.get_by_label("Publication type")).to_be_focused()
        page.keyboard.type("Review")
        page.keyboard.press("Escape")
        page.keyboard.press("Enter")
        expect(titles(page)).to_have_text([BY_HAND[1].title])
        assert page.url == f"{address}?q=statins+and+muscle+pain&from=2015&type=Review"


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without"])
def test_a_reader_follows_articles_and_comes_back(browser: Browser, address: str, script: bool) -> None:
    with opened(browser, address, java_script_enabled=script) as page:
        page.goto("./")
        page.get_by_label("Query").fill("muscle symptoms under statins")
        page.get_by_role("button", name="Search").click()
        expect(titles(page)).to_have_count(10)
        first = titles(page).first.inner_text()

        rest = page.locator("details.rest").first
        expect(rest.locator("p").first).to_be_hidden()
        rest.locator("summary").click()
        expect(rest.locator("p").first).to_be_visible()
        page.get_by_text("Scores", exact=True).first.click()
        expect(page.get_by_text("score of the re-ranker").first).to_be_visible()
        page.get_by_text("How this was found").click()
        expect(page.get_by_text("re-ranked by overlap")).to_be_visible()

        page.get_by_role("link", name="Next").click()
        expect(page.locator("ol.hits > li").first).to_have_attribute("value", "11")
        page.get_by_role("link", name="Previous").click()
        expect(titles(page).first).to_have_text(first)

        page.get_by_role("link", name="Similar articles").first.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(first)
        assert first not in titles(page).all_inner_texts()
        page.go_back()
        expect(titles(page).first).to_have_text(first)

        page.locator(".filters > summary").click()
        page.get_by_label("Include retracted articles").check()
        page.get_by_label("Abstract", exact=True).select_option("with an abstract")
        page.get_by_label("Year from").fill("2009")
        page.get_by_label("Year to").fill("2009")
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_text("Retracted", exact=True)).to_be_visible()
        page.get_by_role("link", name="Clear all filters").click()
        expect(page.get_by_text("Retracted", exact=True)).to_have_count(0)


def test_words_are_marked_and_markup_is_text(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        page.goto("./?q=%3Ci%3E+SLCO1B1+%22muscle+pain%22&abstract=yes")
        hit = page.get_by_role("listitem").filter(has_text="genomewide")
        expect(hit.get_by_role("heading")).to_have_text(BY_HAND[4].title)
        expect(hit.locator("h2 mark")).to_have_text(["SLCO1B1", "muscle", "pain"])
        expect(hit.locator("i")).to_have_count(0)


STATES = {
    "start": "./",
    "results": "./?q=muscle+symptoms+under+statin+treatment&retracted=1",
    "similar": "./?similar=33627334",
    "empty": "./?q=statins+and+muscle+pain&from=2090&type=Review",
    "wrong": "./?q=statins&from=last+year&abstract=perhaps&page=0",
    "unknown": "./?q=statins&mesh=Hearth",
    "error": "./?q=too+much",
}


SIZES = {"desktop": DESKTOP, "mobile": MOBILE}
LOOKS = list(product(SIZES, ("light", "dark")))


def looks() -> Iterator[Any]:
    """Every state in every size and scheme; one of them in turn for each state is enough for `make test`."""
    for place, state in enumerate(STATES):
        for number, look in enumerate(LOOKS):
            marks = () if number == place % len(LOOKS) else pytest.mark.whole
            yield pytest.param(state, *look, marks=marks, id="-".join((state, *look)))


@pytest.mark.parametrize(("state", "size", "scheme"), [*looks()])
def test_every_state_is_accessible_and_fits(browser: Browser, address: str, state: str, size: str, scheme: Any) -> None:
    with opened(browser, address, SIZES[size], color_scheme=scheme) as page:
        page.goto(STATES[state])
        keep(page, f"page-{state}-{size}-{scheme}")
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert_fits(page)
        assert_accessible(page)


def test_every_colour_scheme_has_colours_of_its_own(browser: Browser, address: str) -> None:
    papers = []
    for scheme in ("light", "dark"):
        with opened(browser, address, color_scheme=scheme) as page:
            page.goto("./")
            papers.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert papers == ["rgb(253, 253, 251)", "rgb(22, 25, 28)"]


def test_a_print_has_whole_abstracts_and_nothing_to_click(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        page.goto("./?q=statins+and+muscle+pain")
        page.emulate_media(media="print")
        expect(page.get_by_role("search")).to_be_hidden()
        expect(page.locator("details.rest p").first).to_be_visible()
        expect(page.get_by_role("link", name="Similar articles").first).to_be_hidden()
