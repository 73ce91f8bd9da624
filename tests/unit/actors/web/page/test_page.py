"""How the page is served: its status where a search fails, its headers, its files, its log."""

import logging
from urllib.parse import urlencode

import pytest

from actors.web.page.page import MEDIA_TYPES
from schemas.errors import DeadlineError, NotReadyError, OverloadedError, ServiceError
from schemas.protocols import ArticleKey, Lookup, Match, StoredArticle
from tests.support.service.catalogue import Catalogue
from tests.support.service.page_reader import get, page, service


class Failing(Catalogue):
    """A catalogue that does not answer."""

    def __init__(self, error: ServiceError) -> None:
        super().__init__()
        self._error = error

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        raise self._error

    async def stored(self, keys: list[ArticleKey]) -> list[StoredArticle | None]:
        raise self._error


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
