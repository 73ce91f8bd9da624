import asyncio
from dataclasses import dataclass, field

import pytest

from actors.search.served_versions import REST_SECONDS, Follower, ServedVersions
from schemas.errors import NotReadyError, StoreError
from schemas.manifest import IndexVersion
from tests.support.service.seams import VERSION

V1, V2, V3 = (VERSION.model_copy(update={"id": f"v{n}"}) for n in (1, 2, 3))


@dataclass
class Searchers:
    """Answer with the version's name from the versions that they have."""

    have: set[str]
    asked: list[str] = field(default_factory=list)

    async def call(self, version: IndexVersion) -> str:
        self.asked.append(version.id)
        if version.id not in self.have:
            raise NotReadyError(f"version {version.id} is not loaded")
        return version.id


@dataclass
class Clock:
    now: float = 0

    def __call__(self) -> float:
        return self.now


def ask(versions: ServedVersions, searchers: Searchers) -> str:
    return asyncio.run(versions.answer(searchers.call))


def test_a_version_follows_when_the_searchers_have_it() -> None:
    clock = Clock()
    versions, searchers = ServedVersions(V1, clock), Searchers({"v1"})
    assert ask(versions, searchers) == "v1"
    versions.propose(V2)
    assert ask(versions, searchers) == "v1"
    assert versions.readiness().model_dump() == {
        "version": "v1",
        "pending": "v2",
        "problem": "version v2 is not loaded",
    }
    searchers.have.add("v2")
    assert ask(versions, searchers) == "v1"  # it rests
    clock.now += REST_SECONDS
    assert ask(versions, searchers) == "v2"
    assert versions.answering == V2
    assert versions.readiness().model_dump() == {"version": "v2", "pending": None, "problem": None}
    assert searchers.asked == ["v1", "v2", "v1", "v1", "v2"]


def test_a_version_that_never_loads_leaves_the_old_one_answering() -> None:
    clock = Clock()
    versions, searchers = ServedVersions(V1, clock), Searchers({"v1"})
    versions.propose(V2)
    for _ in range(20):
        assert ask(versions, searchers) == "v1"
        clock.now += REST_SECONDS / 4
    assert searchers.asked.count("v2") == 5


def test_searchers_that_let_the_old_version_go_answer_from_the_new_one() -> None:
    clock = Clock()
    versions, searchers = ServedVersions(V1, clock), Searchers(set())
    versions.propose(V2)
    with pytest.raises(NotReadyError):
        ask(versions, searchers)
    searchers.have.add("v2")
    assert ask(versions, searchers) == "v2"


def test_without_any_version_that_they_have_it_is_said_which() -> None:
    with pytest.raises(NotReadyError, match="version v1 is not loaded"):
        ask(ServedVersions(V1), Searchers({"v2"}))


def test_a_rollback_is_a_version_like_any_other() -> None:
    versions, searchers = ServedVersions(V1), Searchers({"v1", "v2"})
    versions.propose(V2)
    assert ask(versions, searchers) == "v2"
    versions.propose(V1)
    assert ask(versions, searchers) == "v1"


def test_a_proposal_that_is_taken_back_is_not_asked_for() -> None:
    versions, searchers = ServedVersions(V1), Searchers({"v1"})
    versions.propose(V2)
    versions.propose(V1)
    assert ask(versions, searchers) == "v1"
    assert searchers.asked == ["v1"]
    assert versions.readiness().pending is None


def test_a_version_proposed_while_another_answers_is_not_forgotten() -> None:
    versions = ServedVersions(V1)

    async def call(version: IndexVersion) -> str:
        if version == V2:
            versions.propose(V3)
        return version.id

    versions.propose(V2)
    assert asyncio.run(versions.answer(call)) == "v2"
    assert versions.readiness().pending == "v3"
    assert asyncio.run(versions.answer(call)) == "v3"


def test_each_version_arrives_once_and_one_that_fails_is_tried_again() -> None:
    named, arrived, broken = [V1], [], {"v2"}

    def arrive(version: IndexVersion) -> None:
        if version.id in broken:
            raise StoreError(f"{version.id} is broken")
        arrived.append(version.id)

    follower = Follower("/store", lambda: named[-1], arrive)
    follower.look()
    follower.look()
    named.append(V2)
    follower.look()
    assert (arrived, follower.problem) == (["v1"], "v2 is broken")
    broken.clear()
    follower.look()
    follower.look()
    assert (arrived, follower.problem) == (["v1", "v2"], None)
    named.append(V1)
    follower.look()
    assert arrived == ["v1", "v2", "v1"]


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (StoreError("the store /store has no CURRENT version"), "the store has no CURRENT version"),
        (StoreError("/store/versions/v2.json: not there"), "versions/v2.json: not there"),
        (OSError(5, "/store"), "the version that CURRENT names cannot be taken; the service's log says why"),
    ],
)
def test_a_current_that_cannot_be_read_is_told_and_no_more(error: Exception, problem: str) -> None:
    def read() -> IndexVersion:
        raise error

    versions = ServedVersions(V1)
    versions.follow(Follower("/store", read, versions.propose))
    assert versions.readiness().model_dump() == {"version": "v1", "pending": None, "problem": problem}
    assert ask(versions, Searchers({"v1"})) == "v1"


def test_a_searcher_that_is_later_than_another_is_asked_the_version_before() -> None:
    clock = Clock()
    versions, early, late = ServedVersions(V1, clock), Searchers({"v1", "v2"}), Searchers({"v1"})
    versions.propose(V2)
    assert ask(versions, late) == "v1"
    clock.now += REST_SECONDS
    assert ask(versions, early) == "v2"
    for _ in range(3):
        assert (ask(versions, late), ask(versions, early)) == ("v1", "v2")
    late.have.add("v2")
    assert ask(versions, late) == "v2"
