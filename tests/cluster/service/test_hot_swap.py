"""Versions are promoted and rolled back while the service answers: no request fails, none is of two versions."""

import time
from collections.abc import Callable

import httpx
import pytest

from jobs import rollback
from jobs.common.store import read_current
from schemas.errors import IntegrityError
from schemas.layout import ROWS, Layout
from schemas.manifest import Current
from tests.cluster.conftest import KEY, Service, edition
from tests.support.processes import within
from tests.support.service.service_load import Load
from tests.support.stores.made_store import MadeStore
from tests.support.stores.store_files import set_current

ASKED: dict[str, object] = {"query": "asthma", "k": 25, "rerank": False}
HEADERS = {"x-api-key": KEY}
SWAPS, ANSWERS = 3, 40
"""How often two versions take turns, and how many answers come between one and the other at least."""
SWAPS_SECONDS = 30
PICKED_UP_SECONDS = 60
"""Within these a promoted version of this size answers; most of it is for a busy machine."""


@pytest.fixture
def url(made_service: Service) -> str:
    return made_service.url


def ask(url: str) -> httpx.Response:
    return httpx.post(f"{url}/v1/search", json=ASKED, headers=HEADERS)


def readiness(url: str) -> dict[str, str | None]:
    found: dict[str, str | None] = httpx.get(f"{url}/readyz").json()
    return found


def answering(url: str, version: str) -> None:
    """Wait until a version answers."""
    within(PICKED_UP_SECONDS, lambda: ask(url).json()["version"] == version)


def assert_swaps(store: MadeStore, url: str, nights: tuple[int, int], go_on: Callable[[int], bool]) -> None:
    """Promote the versions of two nights, then let them take turns; `go_on` says after how many turns to stop."""
    before = ask(url)
    known = {before.json()["version"]: night_of(before)}
    versions = []
    with Load(url, ASKED, headers=HEADERS) as load:
        for night in nights:
            store.publish(edition(night))
            versions.append(store.promoted(store.index()))
            known[versions[-1].id] = night
            answering(url, versions[-1].id)
        turns = 0
        while go_on(turns):
            rollback.run(store.config)
            answering(url, versions[0].id)
            load.go_on(ANSWERS)
            store.promoted(versions[1])
            answering(url, versions[1].id)
            load.go_on(ANSWERS)
            turns += 1
    assert (load.statuses(), load.errors) == ({200}, [])
    for answer in load.answers:
        assert night_of(answer) == known[answer.json()["version"]]
        assert len({hit["id"] for hit in answer.json()["hits"]}) == 25
    assert {answer.json()["version"] for answer in load.answers} == set(known)


def night_of(answer: httpx.Response) -> int:
    """The one night that all hits of an answer are of."""
    [night] = {hit["title"].split(" of ")[0].rpartition(" ")[2] for hit in answer.json()["hits"]}
    return int(night)


def test_promoted_and_rolled_back_versions_are_picked_up_without_a_failed_or_mixed_answer(
    made_store: MadeStore, url: str
) -> None:
    assert_swaps(made_store, url, (2, 3), lambda turns: turns < SWAPS)


@pytest.mark.whole
def test_versions_take_turns_for_half_a_minute_without_a_failed_or_mixed_answer(
    made_store: MadeStore, url: str
) -> None:
    end = time.monotonic() + SWAPS_SECONDS
    assert_swaps(made_store, url, (4, 5), lambda _: time.monotonic() < end)


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_answering_and_readiness_says_why(
    made_store: MadeStore, url: str
) -> None:
    before = readiness(url)["version"]
    made_store.publish(edition(6))
    broken = made_store.index()
    path = made_store.files.path(Layout.segment(broken.segments[-1].id)) / ROWS
    whole = path.read_bytes()
    path.write_bytes(whole[:-2])
    with pytest.raises(IntegrityError, match=ROWS):
        made_store.promoted(broken)
    current = read_current(made_store.files)
    assert current
    with Load(url, ASKED, headers=HEADERS) as load:
        # As if it had been damaged since it was promoted.
        set_current(made_store.files, Current(version=broken.id, history=(*current.history, current.version)))
        # At first a searcher may not have looked yet, and says that.
        within(PICKED_UP_SECONDS, lambda: ROWS in (readiness(url)["problem"] or ""))
        load.go_on(ANSWERS)
    ready = readiness(url)
    assert (ready["version"], ready["pending"]) == (before, broken.id)
    assert made_store.files.root not in (ready["problem"] or "")
    assert (load.statuses(), load.errors) == ({200}, [])
    assert {answer.json()["version"] for answer in load.answers} == {before}
    path.write_bytes(whole)
    answering(url, broken.id)
    assert readiness(url) == {"version": broken.id, "pending": None, "problem": None}


def test_a_current_that_cannot_be_read_leaves_the_old_one_answering_and_readiness_says_why(
    made_store: MadeStore, url: str
) -> None:
    before = readiness(url)
    current = made_store.files.path(Layout.current)
    whole = current.read_bytes()
    current.write_bytes(b"garbage")
    within(PICKED_UP_SECONDS, lambda: "CURRENT" in (readiness(url)["problem"] or ""))
    assert ask(url).json()["version"] == before["version"]
    current.write_bytes(whole)
    within(PICKED_UP_SECONDS, lambda: readiness(url) == before)
