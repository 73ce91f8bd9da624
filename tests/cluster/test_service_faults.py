"""Overload and faults of the real service: bounded, said, and not spread to other requests."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest

from jobs import serve
from schemas.config import Config, DeploymentConfig
from schemas.manifest import IndexVersion
from tests.cluster.conftest import free_port, stop_serving
from tests.cluster.load import Load

Deploy = Callable[..., str]
PLAIN = {"query": "insulin and glucose", "rerank": False}
RERANKED = {"query": "insulin and glucose", "candidates": 100}


@pytest.fixture
def deployed(version: IndexVersion, config: Config) -> Iterator[Deploy]:
    def deploy(**settings: object) -> str:
        rerank = config.rerank.model_copy(update={"seconds": settings.pop("rerank_seconds", 30)})
        network = config.serve.model_copy(update={"port": free_port(), "cached": 0, **settings})
        return serve.deploy(config.model_copy(update={"rerank": rerank, "serve": network}))

    yield deploy
    stop_serving()


def replicas(name: str) -> list[int]:
    """Process ids of a deployment's replicas."""
    found = psutil.process_iter(["pid", "cmdline"])
    return [p.pid for p in found if f"ServeReplica:{serve.APP}:{name}" in " ".join(p.info["cmdline"] or [])]


def kill_one(name: str) -> None:
    os.kill(replicas(name)[0], signal.SIGKILL)


def test_a_killed_searcher_fails_no_request(deployed: Deploy) -> None:
    url = deployed(searcher=DeploymentConfig(min_replicas=2, max_replicas=2))
    assert len(replicas("searcher")) == 4  # of two shards
    with Load(url, PLAIN) as load:
        for _ in range(2):
            time.sleep(1)
            kill_one("searcher")
            time.sleep(3)
    assert (load.statuses(), load.errors) == ({200}, [])
    assert len({tuple(hit["id"] for hit in answer.json()["hits"]) for answer in load.answers}) == 1


def test_a_killed_reranker_degrades_requests_and_comes_back(deployed: Deploy) -> None:
    url = deployed(rerank_seconds=2)
    assert httpx.post(f"{url}/v1/search", json=RERANKED | {"candidates": 5}, timeout=60).json()["reranked"]
    with Load(url, RERANKED | {"candidates": 5}) as load:
        time.sleep(1)
        kill_one("reranker")
        deadline = time.monotonic() + 60
        while not httpx.post(f"{url}/v1/search", json=RERANKED | {"candidates": 5}, timeout=60).json()["reranked"]:
            assert time.monotonic() < deadline
    assert (load.statuses(), load.errors) == ({200}, [])
    degraded = [answer.json() for answer in load.answers if not answer.json()["reranked"]]
    assert degraded
    for answer in degraded:
        assert "re" in answer["degraded"]
        assert {hit["score_kind"] for hit in answer["hits"]} == {"inner_product"}


def test_more_requests_than_may_wait_are_told_to_come_back_and_the_others_are_answered(deployed: Deploy) -> None:
    narrow = DeploymentConfig(max_calls=1, max_batch_size=1, max_waiting=2, max_ongoing_requests=1)
    url = deployed(reranker=narrow, rerank_seconds=30, encoder=narrow)
    with Load(url, PLAIN, clients=12) as load:
        time.sleep(5)
    assert (load.statuses(), load.errors) == ({200, 429}, [])
    for answer in load.answers:
        if answer.status_code == 429:
            assert answer.headers["retry-after"] == "1"
            assert answer.json()["detail"] == "2 requests wait for the encoder; try again"
        else:
            assert len(answer.json()["hits"]) == 10


def test_a_request_that_takes_too_long_is_ended_and_the_next_one_is_answered(deployed: Deploy) -> None:
    url = deployed(seconds=0.3)
    for _ in range(3):
        answer = httpx.post(f"{url}/v1/search", json=RERANKED, timeout=60)
        if answer.status_code == 504:
            break
    assert (answer.status_code, answer.json()["detail"][:19]) == (504, "no answer within 0.")
    deadline = time.monotonic() + 30
    while httpx.post(f"{url}/v1/search", json=PLAIN, timeout=60).status_code != 200:
        assert time.monotonic() < deadline
