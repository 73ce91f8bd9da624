"""Asking a service over HTTP on loopback."""

from collections.abc import Iterator
from hashlib import sha256

import pytest

from actors.web.api import create_app
from actors.web.middleware.front import Front
from jobs.common.service_client import ask, ask_version
from schemas.errors import RequestError
from schemas.search import SearchRequest
from tests.support.service.seams import SECONDS, VERSION, Favours, Shelf, joined
from tests.support.service.serving import served
from tests.support.service.stranger import stranger_service

SERVICE = joined(Shelf([3, 1, 2]), Favours({2: 1.0}))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(create_app(SERVICE, SECONDS)) as url:
        yield url


@pytest.fixture(scope="module")
def stranger() -> Iterator[str]:
    with stranger_service() as url:
        yield url


def refusal(url: str) -> str:
    with pytest.raises(RequestError) as error:
        ask(url, SearchRequest(query="statins"))
    assert "\n" not in str(error.value)
    assert url in str(error.value)
    return str(error.value)


def test_a_running_service_answers(url: str) -> None:
    response = ask(f"{url}/", SearchRequest(query="statins", k=2))
    assert [hit.id for hit in response.hits] == ["2", "1"]
    assert [hit.id for hit in ask(url, SearchRequest(query="x", rerank=False)).hits] == ["3", "1", "2"]


def test_it_says_what_it_answers_from(url: str) -> None:
    assert ask_version(url).version == VERSION.id


def test_a_key_is_sent_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    front = Front(frozenset({sha256(b"secret").hexdigest()}))
    with served(create_app(SERVICE, SECONDS, front)) as url:
        with pytest.raises(RequestError, match="answers 401: "):
            ask(url, SearchRequest(query="statins"))
        monkeypatch.setenv("PUBRAY_API_KEY", "secret")
        assert ask(url, SearchRequest(query="statins")).hits


def test_a_refusal_is_told_with_its_status(url: str) -> None:
    assert "answers 404: " in refusal(f"{url}/elsewhere")


def test_another_service_is_not_taken_for_pubray(stranger: str) -> None:
    assert "answers 500: <html> <body>hello</body> </html>" in refusal(stranger)
    assert "answers, but not as pubray does" in refusal(f"{stranger}/happy")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "127.0.0.1:8000", "http://127.0.0.1:many", "gopher://x"])
def test_a_service_that_cannot_be_reached_is_told(url: str) -> None:
    assert refusal(url).endswith("; start it with pubray serve")
