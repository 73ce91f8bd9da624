"""What stands before the routes, together."""

import hashlib
import hmac

import httpx
import pytest
from starlette.responses import PlainTextResponse

from actors.web.api import create_app
from actors.web.middleware.front import HEADERS, Front, key_digests, with_security_headers
from schemas.errors import UsageError
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


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


async def metrics() -> str:
    return "pubray_waiting 0\n"


APP = create_app(joined(Shelf([1])), SECONDS, Front(frozenset({digest("first"), digest("second")})), metrics)


def version(**headers: str) -> httpx.Response:
    return ask(APP, "GET", "/version", headers=headers)


@pytest.mark.parametrize("key", ["first", "second"])
def test_a_known_key_opens_in_either_header(key: str) -> None:
    assert version(Authorization=f"Bearer {key}").status_code == 200
    assert version(authorization=f"bearer  {key} ").status_code == 200
    assert version(**{"x-api-key": key}).status_code == 200
    assert version(Authorization="Basic eDp5", **{"x-api-key": key}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer third"},
        {"Authorization": "Bearer "},
        {"Authorization": "first"},
        {"Authorization": "Basic first"},
        {"x-api-key": ""},
        {"x-api-key": digest("first")},
        {"api-key": "first"},
    ],
    ids=str,
)
def test_without_one_the_answer_is_a_problem_that_says_how(headers: dict[str, str]) -> None:
    answer = version(**headers)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.headers["www-authenticate"] == 'Bearer realm="pubray"'
    assert answer.json()["detail"] == "give an API key: Authorization: Bearer KEY, or x-api-key: KEY"
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/", 401),
        ("/openapi.json", 401),
        ("/metrics", 401),
        ("/static/page.css", 401),
        ("/nowhere", 401),
        ("/v1/models", 401),
        ("/healthz/", 401),
    ],
)
def test_only_what_orchestrators_ask_is_open(path: str, status: int) -> None:
    assert ask(APP, "GET", path).status_code == status


def test_metrics_open_by_a_key_as_prometheus_gives_it() -> None:
    answer = ask(APP, "GET", "/metrics", headers={"Authorization": "Bearer first"})
    assert (answer.status_code, answer.text) == (200, "pubray_waiting 0\n")


def test_every_digest_is_compared_whichever_is_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    compare = hmac.compare_digest

    def watched(one: str, other: str) -> bool:
        compared.append(other)
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    assert version(Authorization="Bearer first").status_code == 200
    assert sorted(compared) == sorted([digest("first"), digest("second")])


def test_digests_are_read_with_comments_and_blank_lines() -> None:
    lines = ["# keys", f"{digest('a')}  # of A", "", digest("b")]
    assert key_digests(lines, "keys") == {digest("a"), digest("b")}


@pytest.mark.parametrize(
    "line", ["a-key-itself", digest("a").upper(), digest("a")[:-1], f"{digest('a')} {digest('b')}"]
)
def test_what_is_no_digest_is_refused_without_showing_it(line: str) -> None:
    with pytest.raises(UsageError, match=r"^keys: line 2 is no sha256 of 64 hex digits") as error:
        key_digests([digest("a"), line], "keys")
    assert line not in str(error.value)


def test_no_key_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^keys: no key"):
        key_digests(["# none yet", ""], "keys")
