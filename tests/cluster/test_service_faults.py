"""Overload and faults of the real service: bounded, said, and not spread to other requests."""

import os
import signal
import time
from collections.abc import Iterator

import httpx
import pytest

from jobs import serve
from schemas.config import Config, DeploymentConfig
from schemas.manifest import IndexVersion
from tests.cluster.conftest import free_port, stop_serving
from tests.support.processes import replicas
from tests.support.service_load import CLIENTS, Load

WAIT_SECONDS = 60
SLOW = "the re-ranker took more than 2 s; try again"
DEAD = "the reranker does not answer; try again"

PLAIN = {"query": "insulin and glucose", "rerank": False}
CANDIDATES = 5
RERANKED = {"query": "insulin and glucose", "candidates": CANDIDATES}
NARROW = DeploymentConfig(target_ongoing_requests=1, max_batch_size=1, max_waiting=2, max_ongoing_requests=1)
TWO = DeploymentConfig(min_replicas=2, max_replicas=2, num_cpus=0.1)
SERVICES: dict[str, dict[str, object]] = {
    "sturdy": {"encoder": TWO, "searcher": TWO, "rerank_seconds": 2},
    "narrow": {"encoder": NARROW, "rerank_seconds": 0.01},
    "hasty": {"seconds": 0.3, "rerank_seconds": 30},
}
"""What each differs in; a service costs some 20 s, so that tests share them."""


@pytest.fixture(scope="module")
def url(request: pytest.FixtureRequest, version: IndexVersion, config: Config) -> Iterator[str]:
    """A service of one of these names."""
    settings = dict(SERVICES[request.param])
    rerank = config.rerank.model_copy(update={"seconds": settings.pop("rerank_seconds")})
    network = config.serve.model_copy(update={"port": free_port(), "cached": 0, **settings})
    yield serve.deploy(config.model_copy(update={"rerank": rerank, "serve": network}))
    stop_serving()


sturdy, narrow, hasty = (pytest.mark.parametrize("url", [name], indirect=True) for name in SERVICES)


def ask(url: str, body: dict[str, object]) -> httpx.Response:
    return httpx.post(f"{url}/v1/search", json=body, timeout=60)


def kill_one(name: str) -> None:
    os.kill(replicas(name)[0], signal.SIGKILL)


@sturdy
def test_a_killed_searcher_fails_no_request(url: str) -> None:
    with Load(url, PLAIN) as load:
        for shard in ("searcher-0", "searcher-1"):
            assert len(replicas(shard)) == 2
            time.sleep(1)
            kill_one(shard)
            time.sleep(3)
    assert (load.statuses(), load.errors) == ({200}, [])
    assert len({tuple(hit["id"] for hit in answer.json()["hits"]) for answer in load.answers}) == 1


@sturdy
def test_what_a_killed_encoder_was_at_is_done_by_the_other(url: str, config: Config) -> None:
    texts = ["insulin and glucose in the blood of rats " * 10] * 64
    body: dict[str, object] = {"model": f"{config.encoder.name}:query", "input": texts}
    with Load(url, body, path="/v1/embeddings") as load:  # so that each has a call under way at any time
        time.sleep(3)
        kill_one("encoder")
        time.sleep(5)
    assert (load.statuses(), load.errors) == ({200}, [])


@sturdy
def test_a_killed_reranker_degrades_requests_and_comes_back(url: str) -> None:
    assert ask(url, RERANKED).json()["reranked"]
    with Load(url, RERANKED) as load:
        time.sleep(1)
        kill_one("reranker")
        deadline = time.monotonic() + WAIT_SECONDS
        while all(answer.json()["reranked"] for answer in load.answers[-CLIENTS:]):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        while not ask(url, RERANKED).json()["reranked"]:
            assert time.monotonic() < deadline
    assert (load.statuses(), load.errors) == ({200}, [])
    for answer in [answer.json() for answer in load.answers]:
        assert answer["reranked"] == (answer["degraded"] is None)
        assert answer["degraded"] in (None, SLOW, DEAD)
        first = {"fused"} if answer["reranked"] else {"inner_product"}
        assert {hit["score_kind"] for hit in answer["hits"][:CANDIDATES]} == first


@narrow
def test_a_slow_reranker_degrades_a_request(url: str) -> None:
    answer = ask(url, RERANKED | {"candidates": 100}).json()
    assert answer["degraded"] == "the re-ranker took more than 0.01 s; try again"
    assert [hit["id"] for hit in answer["hits"]] == [hit["id"] for hit in ask(url, PLAIN).json()["hits"]]


@narrow
def test_more_requests_than_may_wait_are_told_to_come_back_and_the_others_are_answered(url: str) -> None:
    with Load(url, PLAIN, clients=12) as load:
        time.sleep(5)
    assert (load.statuses(), load.errors) == ({200, 429}, [])
    for answer in load.answers:
        if answer.status_code == 429:
            assert answer.headers["retry-after"] == "1"
            assert answer.json()["detail"] == "2 requests wait for the encoder; try again"
        else:
            assert len(answer.json()["hits"]) == 10


@hasty
def test_a_request_that_takes_too_long_is_ended_and_the_next_one_is_answered(url: str) -> None:
    for _ in range(3):
        answer = ask(url, RERANKED | {"candidates": 100})
        if answer.status_code == 504:
            break
    assert (answer.status_code, answer.json()["detail"][:19]) == (504, "no answer within 0.")
    deadline = time.monotonic() + WAIT_SECONDS
    while ask(url, PLAIN).status_code != 200:
        assert time.monotonic() < deadline
