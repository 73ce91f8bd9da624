"""What clients meet of the service before its routes, and the routes that need its models and no index."""

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from transformers import BertForSequenceClassification

from actors.embed.towers import ArticleTower, QueryTower
from actors.web.middleware.front import HEADERS
from actors.web.page.page import OWN_FILES
from schemas.config import Config
from schemas.protocols import ArticleText, Query
from tests.cluster.conftest import KEY, Service
from tests.support.models import tiny
from tests.support.processes import replicas

DOCUMENTS = ["randomised trial", "statin\nmuscle pain", "hay fever"]
LOG_SECONDS = 30


@pytest.fixture(scope="module")
def url(made_service: Service) -> str:
    return made_service.url


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


def test_embeddings_are_the_towers(client: httpx.Client, made_service: Service) -> None:
    config = made_service.config
    [query, article] = [tower["id"] for tower in client.get("/v1/models").json()["data"]]
    query_tower, article_tower = QueryTower(config, 1), ArticleTower(config, 1)
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
def test_documents_come_in_the_order_of_the_cross_encoders_logits(
    client: httpx.Client, made_service: Service, path: str
) -> None:
    name = "texts" if path == "/rerank" else "documents"
    answer = client.post(path, json={"query": "statin muscle pain", name: DOCUMENTS})
    assert answer.status_code == 200, answer.text
    ranked = answer.json() if path == "/rerank" else answer.json()["results"]
    scores = [result["score" if path == "/rerank" else "relevance_score"] for result in ranked]
    expected = logits(made_service.config, "statin muscle pain", [text.replace("\n", " ") for text in DOCUMENTS])
    assert [result["index"] for result in ranked] == expected.argsort(descending=True).tolist()
    np.testing.assert_allclose(scores, expected.sort(descending=True).values.sigmoid(), atol=1e-3)


def test_hits_come_in_the_order_of_the_cross_encoders_logits(client: httpx.Client, made_service: Service) -> None:
    query = "asthma in mice"
    answer = client.post("/v1/search", json={"query": query, "k": 10}).json()
    assert {hit["score_kind"] for hit in answer["hits"]} == {"logit"}
    expected = logits(made_service.config, query, [f"{hit['title']} {hit['abstract']}" for hit in answer["hits"]])
    assert len(set(expected.tolist())) == 10
    assert torch.equal(expected.argsort(descending=True), torch.arange(10))
    assert torch.allclose(torch.tensor([hit["score"] for hit in answer["hits"]]), expected, atol=1e-3)


def logits(config: Config, query: str, texts: list[str]) -> torch.Tensor:
    """What plain transformers makes of the pairs, cut where the configuration says."""
    assert config.rerank.model
    folder, length = Path(config.rerank.model), config.rerank.max_length
    tokenizer = tiny.transformers_tokenizer(folder)
    pairs = tokenizer(
        [query] * len(texts), texts, padding=True, truncation=True, max_length=length, return_tensors="pt"
    )
    with torch.inference_mode():
        return BertForSequenceClassification.from_pretrained(folder)(**pairs).logits[:, 0]


def test_the_page_is_html_with_its_own_policy(client: httpx.Client) -> None:
    answer = client.get("/", params={"q": "asthma"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for name, value in {**HEADERS, **OWN_FILES}.items():
        assert answer.headers.get_list(name) == [value]
    assert "<mark>asthma</mark> in mice" in answer.text
    plain = client.get("/version")
    assert {name: plain.headers[name] for name in HEADERS} == HEADERS
