import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from actors.search.served_versions import ServedVersions
from actors.service.search_service import SearchService
from actors.service.second_stage import Reranking
from actors.web.api import create_app
from actors.web.middleware.front import Front
from actors.web.middleware.request_log import JsonFormatter, RequestLog, log_to
from schemas.arrays import Vector
from schemas.errors import StoreError, UsageError
from schemas.protocols import ArticleText, Lookup, Match, Query, RerankScore, Scoring
from tests.support.service.seams import SECONDS, VERSION, Favours, Lengths, Shelf, joined
from tests.support.service.serving import ask

APP = create_app(joined(Shelf([1])), SECONDS)
SECRET = "/srv/pubray/secret.py says: statins"


class Broken(Shelf):
    """A searcher with a bug."""

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        raise RuntimeError(SECRET)


@pytest.fixture
def log() -> Iterator[StringIO]:
    logger = logging.getLogger("pubray")
    before = logger.handlers, logger.propagate, logger.level
    stream = StringIO()
    log_to(stream)
    yield stream
    logger.handlers, logger.propagate = before[:2]
    logger.setLevel(before[2])


def lines(log: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def searched(app: ASGIApp, **headers: str) -> Any:
    return ask(app, "POST", "/v1/search", json={"query": "statins"}, headers=headers)


def test_a_request_is_one_line(log: StringIO) -> None:
    answer = searched(APP)
    [line] = lines(log)
    assert line.pop("time").endswith("+00:00")
    assert 0 < line.pop("milliseconds") < 5000
    assert set(line.pop("stages")) == {"encode", "search"}
    assert line == {
        "level": "INFO",
        "logger": "pubray.requests",
        "message": "request",
        "id": answer.headers["x-request-id"],
        "method": "POST",
        "route": "/v1/search",
        "status": 200,
        "client": "127.0.0.0/24",
        "version": "v1",
    }


def test_the_route_is_logged_and_not_what_it_was_asked_for(log: StringIO) -> None:
    ask(APP, "GET", "/v1/articles/1")
    ask(APP, "GET", "/v1/articles/77")
    ask(APP, "GET", "/nowhere/77")
    assert [(line["route"], line["status"]) for line in lines(log)] == [
        ("/v1/articles/{id}", 200),
        ("/v1/articles/{id}", 404),
        (None, 404),
    ]
    ask(APP, "POST", "/rerank", json={"query": "q", "texts": ["a"]})
    assert lines(log)[-1]["route"] == "/rerank"


def test_queries_are_logged_only_if_that_is_asked_for(log: StringIO) -> None:
    searched(APP)
    assert "statins" not in log.getvalue()
    searched(create_app(joined(Shelf([1])), SECONDS, Front(log_queries=True)))
    assert lines(log)[-1]["query"] == "statins"


def test_probes_are_not_worth_a_line(log: StringIO) -> None:
    assert ask(APP, "GET", "/healthz").headers["x-request-id"]
    assert not lines(log)


@pytest.mark.parametrize("asked", ["a", "trace-7.b:c_D", "x" * 64])
def test_a_clients_own_id_is_taken(log: StringIO, asked: str) -> None:
    assert searched(APP, **{"x-request-id": asked}).headers["x-request-id"] == asked
    assert lines(log)[-1]["id"] == asked


@pytest.mark.parametrize("asked", ["", "x" * 65, "a b", "a,b", 'a"b', "<a>"])
def test_an_id_that_is_not_safe_is_not_taken(log: StringIO, asked: str) -> None:
    given = searched(APP, **{"x-request-id": asked}).headers["x-request-id"]
    assert len(given) == 32
    assert lines(log)[-1]["id"] == given


def test_ids_differ() -> None:
    assert searched(APP).headers["x-request-id"] != searched(APP).headers["x-request-id"]


def test_a_problem_names_its_request() -> None:
    answer = ask(APP, "GET", "/v1/articles/77", headers={"x-request-id": "mine"})
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "mine"


def test_where_the_server_in_front_tells_the_id_it_is_not_told_twice() -> None:
    answer = searched(create_app(joined(Shelf([1])), SECONDS, Front(tell_id=False)))
    assert "x-request-id" not in answer.headers


def test_a_crash_is_told_without_its_reason_which_the_log_has(log: StringIO) -> None:
    broken: SearchService = joined(Broken([1]))
    answer = searched(create_app(broken, SECONDS), **{"x-request-id": "mine"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "the service failed; its log has the reason",
        "request_id": "mine",
    }
    assert answer.headers["x-content-type-options"] == "nosniff"
    crash, request = lines(log)
    assert (crash["id"], crash["level"], request["id"], request["status"]) == ("mine", "ERROR", "mine", 500)
    assert SECRET in crash["exception"]


@pytest.mark.parametrize("error", [RuntimeError(SECRET), StoreError(SECRET), UsageError(SECRET)], ids=repr)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/?q=statins", None),
        ("GET", "/metrics", None),
        ("POST", "/v1/search", {"query": "q"}),
        ("POST", "/v1/embeddings", {"model": "tiny:query", "input": "q"}),
        ("POST", "/v1/rerank", {"query": "q", "documents": ["d"]}),
        ("POST", "/rerank", {"query": "q", "texts": ["d"]}),
    ],
)
def test_no_route_tells_what_crashed(log: StringIO, error: Exception, method: str, path: str, body: object) -> None:
    class Crashes(Lengths, Favours):
        async def encode(self, texts: list[Query | ArticleText]) -> list[Vector]:
            raise error

        async def score(self, scorings: list[Scoring]) -> list[list[RerankScore]]:
            raise error

    async def metrics() -> str:
        raise error

    part, versions = Crashes({}), ServedVersions(VERSION)
    service = SearchService(versions, part, Shelf([1]), Reranking(part, "favours", "logit", 3, SECONDS))
    answer = ask(create_app(service, SECONDS, metrics=metrics), method, path, json=body)
    assert (answer.status_code, answer.json()["detail"]) == (500, "the service failed; its log has the reason")
    assert "secret" not in answer.text + str(answer.headers)
    assert SECRET in log.getvalue()


def test_a_client_that_is_gone_is_logged(log: StringIO) -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(60)

    async def given_up() -> None:
        scope = {"type": "http", "path": "/", "method": "GET", "headers": []}
        await asyncio.wait_for(RequestLog(slow)(scope, None, None), 0.01)  # type: ignore[arg-type]

    with pytest.raises(TimeoutError):
        asyncio.run(given_up())
    assert (lines(log)[-1]["status"], lines(log)[-1]["client"]) == (499, None)


@pytest.mark.parametrize(
    ("address", "network"), [("203.0.113.77", "203.0.113.0/24"), ("2001:db8:1:2::7", "2001:db8:1::/48"), ("unix", None)]
)
def test_of_a_clients_address_the_network_is_logged(log: StringIO, address: str, network: str | None) -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None: ...

    scope = {"type": "http", "path": "/", "method": "GET", "headers": [], "client": (address, 1)}
    asyncio.run(RequestLog(silent)(scope, None, None))  # type: ignore[arg-type]
    assert lines(log)[-1]["client"] == network


def record(message: str, *args: object, **values: object) -> logging.LogRecord:
    made = logging.LogRecord("pubray.x", logging.INFO, "file", 1, message, args, None)
    made.created = 1767225600.25
    for name, value in values.items():
        setattr(made, name, value)
    return made


def test_a_record_is_one_line_of_json() -> None:
    line = JsonFormatter().format(record("a\n%s", "b", fields={"status": 200, "text": "é\n", "odd": {1}}))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-01-01T00:00:00.250+00:00",
        "level": "INFO",
        "logger": "pubray.x",
        "message": "a\nb",
        "status": 200,
        "text": "é\n",
        "odd": "{1}",
    }


def test_a_traceback_is_in_the_line() -> None:
    try:
        raise ValueError("so")
    except ValueError:
        line = JsonFormatter().format(record("crashed", exc_info=sys.exc_info()))
    assert "\n" not in line
    assert json.loads(line)["exception"].endswith("ValueError: so")
