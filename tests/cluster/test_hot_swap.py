"""Versions are promoted and rolled back while the service answers: no request fails, none is of two versions."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from actors.search.served_versions import LOOK_SECONDS
from jobs import rollback, serve
from retrieval.articles.article import Article
from schemas.config import RerankConfig
from schemas.layout import ROWS
from schemas.manifest import IndexVersion
from tests.cluster.conftest import free_port, stop_serving
from tests.support import tiny
from tests.support.made_store import MadeStore
from tests.support.service_load import Load

ASKED = {"query": "asthma", "k": 25}
SWAPS_SECONDS = 30
PICKED_UP_SECONDS = LOOK_SECONDS + 5
"""Within these a promoted version of this size answers; most of it is for a busy machine."""


def edition(night: int) -> list[Article]:
    """All articles of one night; each title says which."""
    return [Article(pmid, title=f"asthma night {night} of {pmid}") for pmid in range(1, 31)]


@pytest.fixture(scope="module")
def store(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> MadeStore:
    folder = tmp_path_factory.mktemp("swap")
    made = MadeStore(folder, tiny.encoder(folder / "model"), "index.nlist=4", "index.max_deltas=50")
    made.publish(edition(1))
    made.promoted(made.index())
    made.config = made.config.model_copy(
        update={
            "rerank": RerankConfig(kind="none"),
            "serve": made.config.serve.model_copy(update={"port": free_port()}),
        }
    )
    return made


@pytest.fixture(scope="module")
def url(store: MadeStore) -> Iterator[str]:
    yield serve.deploy(store.config)
    stop_serving()


def answering(url: str, version: str) -> float:
    """Wait until a version answers; return the seconds that it took."""
    start = time.monotonic()
    while time.monotonic() < start + PICKED_UP_SECONDS:
        if httpx.post(f"{url}/v1/search", json={"query": "asthma"}).json()["version"] == version:
            return time.monotonic() - start
        time.sleep(0.1)
    raise AssertionError(f"{version} does not answer after {PICKED_UP_SECONDS} s")


def test_promoted_and_rolled_back_versions_are_picked_up_without_a_failed_or_mixed_answer(
    store: MadeStore, url: str
) -> None:
    nights: dict[str, int] = {httpx.get(f"{url}/version").json()["version"]: 1}
    versions: list[IndexVersion] = []
    with Load(url, ASKED) as load:
        for night in (2, 3):
            store.publish(edition(night))
            versions.append(store.promoted(store.index()))
            nights[versions[-1].id] = night
            answering(url, versions[-1].id)
        end = time.monotonic() + SWAPS_SECONDS
        while time.monotonic() < end:
            rollback.run(store.config)
            answering(url, versions[0].id)
            store.promoted(versions[1])
            answering(url, versions[1].id)
    assert (load.statuses(), load.errors) == ({200}, [])
    seen = [answer.json() for answer in load.answers]
    for answer in seen:
        assert {hit["title"].split(" of ")[0] for hit in answer["hits"]} == {
            f"asthma night {nights[answer['version']]}"
        }
        assert len({hit["id"] for hit in answer["hits"]}) == 25
    assert {answer["version"] for answer in seen} == set(nights)


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_answering_and_readiness_says_why(
    store: MadeStore, url: str
) -> None:
    before = httpx.get(f"{url}/readyz").json()["version"]
    store.publish(edition(4))
    broken = store.index()
    path = Path(store.layout.segment(broken.segments[-1].id)) / ROWS
    whole = path.read_bytes()
    path.write_bytes(whole[:-2])
    with Load(url, ASKED) as load:
        store.promoted(broken)
        deadline = time.monotonic() + PICKED_UP_SECONDS
        # At first a searcher may not have looked yet, and says that.
        while ROWS not in ((ready := httpx.get(f"{url}/readyz").json())["problem"] or ""):
            assert time.monotonic() < deadline, ready
            time.sleep(0.1)
    assert (ready["version"], ready["pending"]) == (before, broken.id)
    assert store.layout.root not in ready["problem"]
    assert (load.statuses(), load.errors) == ({200}, [])
    assert {answer.json()["version"] for answer in load.answers} == {before}
    path.write_bytes(whole)
    answering(url, broken.id)
    assert httpx.get(f"{url}/readyz").json() == {"version": broken.id, "pending": None, "problem": None}


def test_a_current_that_cannot_be_read_leaves_the_old_one_answering_and_readiness_says_why(
    store: MadeStore, url: str
) -> None:
    before = httpx.get(f"{url}/readyz").json()
    current = Path(store.layout.current)
    whole = current.read_bytes()
    current.write_bytes(b"garbage")
    deadline = time.monotonic() + PICKED_UP_SECONDS
    while "CURRENT" not in ((ready := httpx.get(f"{url}/readyz").json())["problem"] or ""):
        assert time.monotonic() < deadline, ready
        time.sleep(0.1)
    assert httpx.post(f"{url}/v1/search", json=ASKED).json()["version"] == before["version"]
    current.write_bytes(whole)
    while httpx.get(f"{url}/readyz").json() != before:
        assert time.monotonic() < deadline + PICKED_UP_SECONDS
        time.sleep(0.1)
