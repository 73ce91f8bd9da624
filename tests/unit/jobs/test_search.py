"""Asking a service over HTTP on loopback, and showing the answer."""

import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from actors.web.api import create_app
from jobs import search
from schemas.errors import RequestError, UsageError
from schemas.filter_text import parse_filter
from schemas.filters import Wanted
from schemas.search import Hit, SearchRequest, SearchResponse
from tests.support.service.seams import SECONDS, Favours, Shelf, joined
from tests.support.stores.store_files import config

SERVICE = joined(Shelf([3, 1, 2]), Favours({2: 1.0}))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(create_app(SERVICE, SECONDS), port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


class Stranger(BaseHTTPRequestHandler):
    """Some other service; below /echo it says what it was asked."""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200 if self.path.startswith("/happy") else 500)
        self.end_headers()
        self.wfile.write(asked if self.path.startswith("/echo") else b"<html>\n<body>hello</body>\n</html>")

    def log_message(self, format: str, *args: object) -> None:
        """Be silent."""


@pytest.fixture(scope="module")
def stranger() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def refusal(url: str) -> str:
    with pytest.raises(RequestError) as error:
        search.ask(url, SearchRequest(query="statins"))
    assert "\n" not in str(error.value)
    assert url in str(error.value)
    return str(error.value)


def test_a_running_service_answers(url: str) -> None:
    response = search.ask(f"{url}/", SearchRequest(query="statins", k=2))
    assert [hit.id for hit in response.hits] == ["2", "1"]
    assert [hit.id for hit in search.ask(url, SearchRequest(query="x", rerank=False)).hits] == ["3", "1", "2"]


def test_a_refusal_is_told_with_its_status(url: str) -> None:
    assert "answers 404: " in refusal(f"{url}/elsewhere")


def test_another_service_is_not_taken_for_pubray(stranger: str) -> None:
    assert "answers 500: <html> <body>hello</body> </html>" in refusal(stranger)
    assert "answers, but not as pubray does" in refusal(f"{stranger}/happy")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "127.0.0.1:8000", "http://127.0.0.1:many", "gopher://x"])
def test_a_service_that_cannot_be_reached_is_told(url: str) -> None:
    assert refusal(url).endswith("; start it with pubray serve")


def test_the_options_become_the_request(stranger: str, tmp_path: Path) -> None:
    filters = 'year>=2020 and type in ("Review")'
    options: dict[str, Any] = {"filter": filters, "include_retracted": True, "no_rerank": True}
    with pytest.raises(RequestError) as error:
        search.run(config(tmp_path), query="statins", url=f"{stranger}/echo", **options)
    asked = SearchRequest.model_validate_json(str(error.value).partition(" answers 500: ")[2])
    assert asked == SearchRequest(query="statins", rerank=False, filters=parse_filter(filters), include_retracted=True)


def test_without_options_nothing_is_filtered_but_what_is_retracted(stranger: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError) as error:
        search.run(config(tmp_path), query="statins", url=f"{stranger}/echo")
    asked = SearchRequest.model_validate_json(str(error.value).partition(" answers 500: ")[2])
    assert asked == SearchRequest(query="statins")
    assert asked.wanted == Wanted()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filter": "yaer>2020"}, "filter, character 1, 'yaer>2020': expected a field (year, "),
        ({"filter": " and ".join(["year>2020"] * 17)}, "filter, character 225: more than 16 conditions"),
        ({"k": 0}, "k = 0: input should be greater than or equal to 1"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error_before_anything_is_loaded(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=rf"^{re.escape(message)}"):
        search.run(config(tmp_path / "no store"), query="x", **options)


RESPONSE = SearchResponse(query="q", version="v1", hits=(), reranked=True, degraded=None, milliseconds={"encode": 1.2})


def test_hits_are_shown_as_a_table() -> None:
    values = {"title": "T" * 100, "abstract": "", "journal": "", "year": 1975}
    scores = {"score": 1.5, "score_kind": "fused", "comparable": False, "retrieval_score": 0.5, "rerank_score": None}
    hit = Hit.model_validate({"rank": 1, "id": "123", "named": False, **scores, **values})
    response = RESPONSE.model_copy(update={"hits": (hit,)})
    query, headers, _, row, end = search.show(response).splitlines()
    assert (query, end) == ("q", "encode 1 ms, version v1")
    assert headers.split() == ["rank", "fused", "retrieval", "rerank", "PMID", "year", "title"]
    assert row.split() == ["1", "1.500", "0.500", "-", "123", "1975", "T" * 79 + "…"]


def test_no_hits_are_a_table_without_rows() -> None:
    assert len(search.show(RESPONSE).splitlines()) == 4


def test_hits_that_were_not_reranked_say_why() -> None:
    response = RESPONSE.model_copy(update={"degraded": "the re-ranker does not answer"})
    assert "not re-ranked: the re-ranker does not answer" in search.show(response).splitlines()
