"""Figures of a version beside their limits, and what came in source files since the one before."""

import pytest

from retrieval.index.gates import arrivals, gates, usual_shares
from schemas.canary import CanaryAnswer
from schemas.config import IndexConfig
from schemas.manifest import Checks, Gate, IndexVersion, Recall
from schemas.snapshot import Lineage, PartFile, PartRef, SnapshotCounts, SnapshotInfo, SourceFile
from tests.support.service.seams import VERSION


def checks(recall: float, removed: float) -> Checks:
    return VERSION.checks.model_copy(
        update={"recall": Recall(queries=10, at_10=recall, at_100=1), "removed_share": removed}
    )


RULES = IndexConfig(recall_floor=0.9, max_removed=0.1)


def gates_of(found: Checks, *known: IndexVersion) -> dict[str, Gate]:
    return {gate.name: gate for gate in gates(VERSION.model_copy(update={"checks": found}), RULES, known)}


def test_a_version_within_the_limits_passes() -> None:
    passed = gates_of(checks(0.9, 0.1))
    assert {name: (gate.value, gate.limit, gate.passed, gate.why) for name, gate in passed.items()} == {
        "recall@10": (0.9, 0.9, True, None),
        "removed share": (0.1, 0.1, True, None),
        "dead share": (0, 0.5, True, None),
    }


@pytest.mark.parametrize(
    ("found", "name", "words"),
    [
        (
            checks(0.89, 0),
            "recall@10",
            "version v1 finds 0.890 of what an exact search finds, the floor is 0.9; raise index.nprobe or "
            "index.candidates",
        ),
        (
            checks(0.9, 0.11),
            "removed share",
            "version v1 lacks 11.0% of the articles of None, the limit is 10.0%; if they are to go, run again with "
            "--allow-removed",
        ),
    ],
)
def test_a_gate_that_is_not_passed_says_why_and_names_the_limit(found: Checks, name: str, words: str) -> None:
    assert {gate.name: gate.why for gate in gates_of(found).values() if not gate.passed} == {name: words}


def test_canaries_are_gates_where_there_are_any() -> None:
    good, poor = (CanaryAnswer(text="statin", found=(1,), missing=missing) for missing in ((), (7, 8)))
    asked = checks(0.9, 0).model_copy(update={"canaries": (good, good, poor), "canary_change": 0.3})
    found = gates_of(asked)
    assert found["canaries"].value == pytest.approx(2 / 3)
    assert (found["canaries"].why or "").startswith(
        "version v1 does not find what 1 of 3 canaries must find, PMID 7 by 'statin' among them, index.canary_floor is"
    )
    assert (found["canary change"].why or "").startswith("version v1 answers 30.0% of what it is asked otherwise than")
    passed = gates_of(asked.model_copy(update={"canaries": (good,), "canary_change": 0.2}))
    assert all(gate.passed for gate in passed.values())


def test_a_selection_that_was_changed_is_named_where_articles_go() -> None:
    version = VERSION.model_copy(update={"parent": "before", "checks": checks(0.9, 0.11)})
    before = VERSION.model_copy(update={"id": "before", "selection": "pmids-1"})
    [why] = [gate.why for gate in gates(version, RULES, [before, version]) if gate.why]
    assert f"of before (its selection is {VERSION.selection}, not pmids-1), the limit" in why


@pytest.mark.parametrize(
    ("update", "name", "words"),
    [
        ({"dead_share": 0.6}, "dead share", "version v1 has 60.0% dead rows, index.dead_ceiling is 50.0%"),
        ({"rejected_share": 0.2}, "rejected share", "version v1 lacks 20.0% of the records of its new files"),
        (
            {"encoded_share": 0.04, "usual_shares": (0.01,) * 6 + (9.0,)},
            "encoded share",
            "version v1 has new texts of 4.00% of its articles a source file, the median of 7 nights is 1.00%, and "
            "index.max_encoded 3 times that",
        ),
    ],
)
def test_what_came_is_compared_with_what_is_usual(update: dict[str, object], name: str, words: str) -> None:
    found = gates_of(checks(0.9, 0).model_copy(update=update))
    assert [gate.name for gate in found.values() if not gate.passed] == [name]
    assert (found[name].why or "").startswith(words)


@pytest.mark.parametrize("nights", [(0.01,) * 6, (0.02,) * 7])
def test_of_few_nights_and_of_a_usual_one_nothing_is_said(nights: tuple[float, ...]) -> None:
    found = gates_of(checks(0.9, 0).model_copy(update={"encoded_share": 0.05, "usual_shares": nights}))
    assert all(gate.passed for gate in found.values())


def snapshot(names: str, previous: str | None, rejected: int = 0, **counts: int) -> SnapshotInfo:
    """A snapshot of parts of 10 rows, each with so many rejected records."""
    file = PartFile(1, 1, SourceFile(1), {"bad": rejected}, {})
    all_counts = dict.fromkeys(SnapshotCounts.model_fields, 0) | {"alive": 100} | counts
    return SnapshotInfo(
        lineage=Lineage(number=1),
        parts=tuple(PartRef(name, name, 10, 0) for name in names),
        previous=previous,
        counts=SnapshotCounts(**all_counts),
        sequence=len(names),
        part_files=dict.fromkeys(names, file),
    )


def test_what_came_is_counted_over_all_snapshots_since_the_one_before() -> None:
    first = snapshot("a", None, rejected=90)
    line = [snapshot("abc", "2", 10, added=4), snapshot("ab", "1", 10, added=1, revised_text=3), first]
    assert arrivals(line, first) == (0.5, 8 / 100 / 2)
    assert arrivals(line[1:], first) == (0.5, 4 / 100)


def test_where_nothing_came_or_the_one_before_is_not_known_nothing_is_told() -> None:
    first, other = snapshot("a", None, rejected=30), snapshot("x", None)
    assert arrivals([first], first) == (None, None)
    assert arrivals([first], None) == (0.75, None)
    assert arrivals([first], other) == (0.75, None)


def test_what_is_usual_is_that_of_the_last_nights_that_brought_something() -> None:
    assert usual_shares(None) == ()
    night = checks(1, 0).model_copy(update={"encoded_share": 0.5, "usual_shares": tuple(range(14))})
    assert usual_shares(night) == (*range(1, 14), 0.5)
    assert usual_shares(night.model_copy(update={"encoded_share": None})) == tuple(range(14))
