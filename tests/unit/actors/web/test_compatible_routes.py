"""What all routes of other services' protocols have in common."""

import pytest

from actors.web.api import create_app
from tests.support.service.seams import SECONDS, Favours, Shelf, joined
from tests.support.service.serving import ask

SERVICE = joined(Shelf([1]), Favours({1: 4.0, 2: -4.0}))


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/v1/embeddings", b'{"model": "tiny:query", "input": ["x", "\\ud800"]}', "input: at 1: half a character"),
        ("/v1/rerank", b'{"query": "q", "documents": ["x", {"text": "\\ud800"}]}', "documents: at 1: half a character"),
        ("/rerank", b'{"query": "\\ud800", "texts": ["x"]}', "query: half a character"),
    ],
)
def test_half_a_character_is_refused_where_it_is(path: str, body: bytes, named: str) -> None:
    answer = ask(create_app(SERVICE, SECONDS), "POST", path, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["detail"].startswith(named)) == (400, True)
