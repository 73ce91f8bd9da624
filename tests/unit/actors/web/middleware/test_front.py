"""What stands before the routes, together."""

import httpx
from starlette.responses import PlainTextResponse

from actors.web.api import create_app
from actors.web.middleware.front import HEADERS, Front, with_security_headers
from tests.support.service.seams import SECONDS, Shelf, joined
from tests.support.service.serving import ask

SERVICE = joined(Shelf([1]))
KEYS = frozenset({"0" * 64})


def get(front: Front, path: str = "/version", **headers: str) -> httpx.Response:
    return ask(create_app(SERVICE, SECONDS, front), "GET", path, headers=headers)


def preflight(front: Front, origin: str) -> httpx.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return ask(create_app(SERVICE, SECONDS, front), "OPTIONS", "/v1/search", headers=headers)


def test_by_default_no_other_origin_may_read_an_answer() -> None:
    assert "access-control-allow-origin" not in get(Front(), Origin="https://example.org").headers
    assert preflight(Front(), "https://example.org").status_code == 405


def test_a_named_origin_may_and_asks_first_without_a_key() -> None:
    front = Front(KEYS, cors_origins=("https://example.org",))
    asked = preflight(front, "https://example.org")
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, "https://example.org")
    refused = get(front, Origin="https://example.org")
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://example.org"
    assert "x-request-id" in refused.headers["access-control-expose-headers"]


def test_another_origin_may_not() -> None:
    front = Front(cors_origins=("https://example.org",))
    assert preflight(front, "https://example.com").status_code == 400
    assert "access-control-allow-origin" not in get(front, Origin="https://example.com").headers


def test_every_answer_has_the_security_headers() -> None:
    for answer in (
        get(Front()),
        get(Front(), "/nowhere"),
        get(Front(KEYS)),
        preflight(Front(cors_origins=("*",)), "x"),
    ):
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert "server" not in answer.headers


def test_what_a_response_has_already_is_kept() -> None:
    page = PlainTextResponse("page", headers={"Content-Security-Policy": "default-src 'self'"})
    headers = ask(with_security_headers(page), "GET", "/").headers
    assert headers.get_list("content-security-policy") == ["default-src 'self'"]
    assert headers["x-content-type-options"] == HEADERS["x-content-type-options"] == "nosniff"
