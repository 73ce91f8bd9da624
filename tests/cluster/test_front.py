"""What clients meet of the real service before its routes, and the routes that need no index."""

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from actors.embed.towers import ArticleTower, QueryTower
from actors.web.middleware.security_headers import HEADERS
from actors.web.page.page import OWN_FILES
from jobs import serve
from retrieval.articles.article import Article
from schemas.config import Config
from schemas.protocols import ArticleText, Query
from tests.cluster.conftest import free_port, stop_serving
from tests.support import tiny
from tests.support.made_store import MadeStore
from tests.support.processes import replicas

KEY = "a key of the test"
DOCUMENTS = ["randomised trial", "statin\nmuscle pain", "hay fever"]
SECONDS = 60
"""How long a request may take: the first ones trace their models."""
LOG_SECONDS = 10


@pytest.fixture(scope="module")
def config(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = tmp_path_factory.mktemp("front")
    made = MadeStore(folder, tiny.encoder(folder / "model"), "index.nlist=2")
    made.publish([Article(pmid, title=f"asthma in mice {pmid}") for pmid in range(1, 9)])
    made.promoted(made.index())
    keys = folder / "keys"
    keys.write_text(f"{hashlib.sha256(KEY.encode()).hexdigest()}  # of the test\n")
    network = made.config.serve.model_copy(update={"port": free_port(), "api_keys": str(keys), "seconds": SECONDS})
    return made.config.model_copy(update={"serve": network})


@pytest.fixture(scope="module")
def url(config: Config) -> Iterator[str]:
    yield serve.deploy(config)
    stop_serving()


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, headers={"x-api-key": KEY}, timeout=60) as client:
        yield client


def log_line(id_: str) -> dict[str, Any]:
    """What the api replica wrote of a request to its stderr, which Ray keeps in a file."""
    [api] = replicas("api")
    log = Path(f"/proc/{api}/fd/2").resolve()
    deadline = time.monotonic() + LOG_SECONDS
    while time.monotonic() < deadline:
        lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith('{"time"')]
        if found := [line for line in lines if line.get("id") == id_]:
            [line] = found
            return line
        time.sleep(0.1)
    raise AssertionError(f"no line of {id_} in {log}")


@pytest.mark.parametrize("path", ["/", "/version", "/metrics", "/v1/models", "/openapi.json"])
def test_what_is_not_a_probe_needs_a_key(url: str, client: httpx.Client, path: str) -> None:
    refused = httpx.get(url + path, headers={"authorization": "Bearer another"})
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer realm="pubray"')
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_need_none(url: str, path: str) -> None:
    assert httpx.get(url + path).status_code == 200


@pytest.mark.parametrize("own", [{}, {"x-request-id": "mine-7"}], ids=str)
def test_the_request_id_is_told_once_and_is_that_of_problem_and_log(
    url: str, client: httpx.Client, own: dict[str, str]
) -> None:
    answer = client.post("/v1/search", json={"query": "asthma"}, headers=own)
    assert answer.status_code == 200
    [told] = answer.headers.get_list("x-request-id")
    assert told == own.get("x-request-id", told)
    line = log_line(told)
    assert (line["method"], line["route"], line["status"]) == ("POST", "/v1/search", 200)
    assert line["key"] == hashlib.sha256(KEY.encode()).hexdigest()[:8]
    assert "query" not in line
    refused = httpx.get(f"{url}/version")
    assert [refused.json()["request_id"]] == refused.headers.get_list("x-request-id")


def test_embeddings_are_the_towers(client: httpx.Client, config: Config) -> None:
    [query, article] = [tower["id"] for tower in client.get("/v1/models").json()["data"]]
    spec, cache = config.encoder, Path(config.cache)
    query_tower = QueryTower(spec, config.engine, threads=1, cache=cache)
    article_tower = ArticleTower(spec, config.engine, threads=1, cache=cache)
    texts = [Query("asthma"), Query("muscle pain in mice")]
    answer = client.post("/v1/embeddings", json={"model": query, "input": [text.text for text in texts]}).json()
    expected = query_tower.vectors(query_tower.tokens(texts))
    np.testing.assert_allclose([one["embedding"] for one in answer["data"]], expected, atol=1e-4)
    answer = client.post("/v1/embeddings", json={"model": article, "input": DOCUMENTS[1]}).json()
    expected = article_tower.vectors(article_tower.tokens([ArticleText("statin", "muscle pain")]))
    np.testing.assert_allclose([one["embedding"] for one in answer["data"]], expected, atol=1e-4)
    assert answer["usage"]["prompt_tokens"] == 5  # two are the encoder's own


def test_a_text_that_is_refused_is_named_and_the_next_request_answered(client: httpx.Client) -> None:
    body = {"model": "tiny:query", "input": ["asthma", " "]}
    answer = client.post("/v1/embeddings", json=body)
    assert (answer.status_code, answer.json()["error"]["message"][:12]) == (400, "input: at 1:")
    assert client.post("/v1/embeddings", json=body | {"input": "asthma"}).status_code == 200


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank", "/rerank"])
def test_documents_are_reranked(client: httpx.Client, path: str) -> None:
    name = "texts" if path == "/rerank" else "documents"
    answer = client.post(path, json={"query": "statin muscle pain", name: DOCUMENTS})
    assert answer.status_code == 200, answer.text
    ranked = answer.json() if path == "/rerank" else answer.json()["results"]
    scores = [result["score" if path == "/rerank" else "relevance_score"] for result in ranked]
    assert ranked[0]["index"] == 1  # has the query's very words
    assert sorted(result["index"] for result in ranked) == [0, 1, 2]
    assert scores == sorted(scores, reverse=True)


def test_the_page_is_html_with_its_own_policy(client: httpx.Client) -> None:
    answer = client.get("/", params={"q": "asthma"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for name, value in {**HEADERS, **OWN_FILES}.items():
        assert answer.headers.get_list(name) == [value]
    assert "<mark>asthma</mark> in mice" in answer.text
    plain = client.get("/version")
    assert {name: plain.headers[name] for name in HEADERS} == HEADERS
