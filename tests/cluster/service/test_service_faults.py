"""Overload and faults of the real service: bounded, said, and not spread to other requests."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import httpx

from tests.cluster.conftest import KEY, MAY_WAIT, Service
from tests.support.processes import frozen, replicas, within
from tests.support.service.service_load import CLIENTS, Body, Load

WAIT_SECONDS = 120
SLOW = "the re-ranker took more than {:g} s; try again"
DEAD = "the reranker does not answer; try again"
CANDIDATES = 5


def plain(number: int) -> Body:
    """A request that is answered as any other of these, and not from what the service keeps."""
    return {"query": "insulin and glucose", "rerank": False, "candidates": 1 + number % 1000}


def reranked(number: int) -> Body:
    """A request that the re-ranker is asked for, and that is like no other."""
    return {"query": f"insulin and glucose {number}", "candidates": CANDIDATES}


def ask(url: str, body: Body) -> httpx.Response:
    return httpx.post(f"{url}/v1/search", json=body, timeout=60)


def kill_oldest(name: str) -> None:
    os.kill(replicas(name)[0], signal.SIGKILL)


def test_more_requests_than_may_wait_are_told_to_come_back_and_the_others_are_answered(made_service: Service) -> None:
    def post(number: int) -> httpx.Response:
        body = {"query": f"asthma {number}", "rerank": False}
        return httpx.post(f"{made_service.url}/v1/search", json=body, headers={"x-api-key": KEY}, timeout=60)

    at_once = 1 + MAY_WAIT + 5
    with ThreadPoolExecutor(at_once) as pool:
        with frozen(replicas("encoder")):
            answers = [pool.submit(post, number) for number in range(at_once)]
            within(WAIT_SECONDS, lambda: sum(answer.done() for answer in answers) == 5)
            refused = [answer.result() for answer in answers if answer.done()]
        answered = [answer.result() for answer in answers if answer.result() not in refused]
    for answer in refused:
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert answer.json()["detail"] == f"{MAY_WAIT} requests wait for the encoder; try again"
    assert [(answer.status_code, len(answer.json()["hits"])) for answer in answered] == [(200, 10)] * (1 + MAY_WAIT)


def test_a_slow_reranker_degrades_a_request(real_service: Service) -> None:
    url, config = real_service
    with frozen(replicas("reranker")):
        answer = ask(url, reranked(1_000_000) | {"query": "insulin and glucose"}).json()
    assert answer["degraded"] == SLOW.format(config.rerank.seconds)
    assert [hit["id"] for hit in answer["hits"]] == [hit["id"] for hit in ask(url, plain(0)).json()["hits"]]


def test_a_request_that_takes_too_long_is_ended_and_the_next_one_is_answered(real_service: Service) -> None:
    url, config = real_service
    with frozen(replicas("encoder")):
        answer = ask(url, plain(1))
    assert answer.status_code == 504
    assert answer.json()["detail"].startswith(f"no answer within {config.serve.seconds:g} s")
    assert ask(url, plain(2)).status_code == 200


def test_a_killed_searcher_fails_no_request(real_service: Service) -> None:
    with Load(real_service.url, plain) as load:
        for shard in ("searcher-0", "searcher-1"):
            assert len(replicas(shard)) == 2
            load.go_on(5 * CLIENTS)
            kill_oldest(shard)
            load.go_on(20 * CLIENTS)
    assert (load.statuses(), load.errors) == ({200}, [])
    assert len({tuple(hit["id"] for hit in answer.json()["hits"]) for answer in load.answers}) == 1


def test_what_a_killed_encoder_was_at_is_done_by_another(real_service: Service) -> None:
    url, config = real_service
    texts = ["insulin and glucose in the blood of rats " * 10] * 16
    body: Body = {"model": f"{config.encoder.name}:query", "input": texts}
    with Load(url, body, path="/v1/embeddings") as load:  # so that each has a call under way at any time
        load.go_on(CLIENTS)
        kill_oldest("encoder")
        load.go_on(2 * CLIENTS)
    assert (load.statuses(), load.errors) == ({200}, [])


def test_a_killed_reranker_degrades_requests_and_comes_back(real_service: Service) -> None:
    url, config = real_service
    numbers = count(2_000_000)

    def is_reranked() -> bool:
        return bool(ask(url, reranked(next(numbers))).json()["reranked"])

    assert is_reranked()
    with Load(url, reranked) as load:
        load.go_on(CLIENTS)
        kill_oldest("reranker")
        within(WAIT_SECONDS, lambda: not all(answer.json()["reranked"] for answer in load.answers[-CLIENTS:]))
        within(WAIT_SECONDS, is_reranked)
    assert (load.statuses(), load.errors) == ({200}, [])
    for answer in [answer.json() for answer in load.answers]:
        assert answer["reranked"] == (answer["degraded"] is None)
        assert answer["degraded"] in (None, SLOW.format(config.rerank.seconds), DEAD)
        first = {"fused"} if answer["reranked"] else {"inner_product"}
        assert {hit["score_kind"] for hit in answer["hits"][:CANDIDATES]} == first
