"""When a version is refused, compacted, or training anew is proposed."""

import pytest

from retrieval.index.version_rules import advice, check_limits, due_compaction
from schemas.config import IndexConfig
from schemas.errors import StoreError
from schemas.manifest import Checks, IndexVersion, Segment, Tombstones
from tests.support.service.seams import VERSION


def version(imbalance: float = 1, recall: float = 0.97, quantizer: str = "q1") -> IndexVersion:
    checks = VERSION.checks.model_copy(
        update={"imbalance": imbalance, "recall": VERSION.checks.recall.model_copy(update={"at_10": recall})}
    )
    return VERSION.model_copy(update={"checks": checks, "quantizer": quantizer})


FIRST = version(2.0, 0.97)


@pytest.mark.parametrize("later", [FIRST, version(2.5, 0.97), version(1.0, 0.955), version(9, 0.5, quantizer="q2")])
def test_lists_that_fit_are_kept(later: IndexVersion) -> None:
    assert advice(later, [version(1.0, 0.99, "q0"), FIRST, later]) is None


def test_training_anew_is_proposed_where_the_lists_fit_worse_than_when_they_were_trained() -> None:
    found = [advice(later, [FIRST, version(3.1), later]) for later in (version(3.0), version(2.0, 0.94))]
    assert [text and text.partition(": ")[2] for text in found] == [
        "since training the imbalance of the lists grew by 50%, and recall@10 fell by 0.000",
        "since training the imbalance of the lists grew by 0%, and recall@10 fell by 0.030",
    ]


def checks(recall: float, removed: float) -> Checks:
    return version(recall=recall).checks.model_copy(update={"removed_share": removed})


def test_a_version_within_the_limits_is_accepted() -> None:
    rules = IndexConfig(recall_floor=0.9, max_removed=0.1)
    check_limits(VERSION, checks(0.9, 0.1), rules)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (checks(0.89, 0), "version v1 finds 0.890 of what an exact search finds, the floor is 0.9; raise index.nprobe"),
        (checks(0.9, 0.11), "version v1 lacks 11.0% of the articles of None, the limit is 10.0%; if they are to go"),
    ],
)
def test_a_version_beyond_a_limit_is_refused_and_the_limit_named(found: Checks, words: str) -> None:
    rules = IndexConfig(recall_floor=0.9, max_removed=0.1)
    with pytest.raises(StoreError, match=words):
        check_limits(VERSION, found, rules)


def merged_of(*shards: int, dead: int = 0) -> IndexVersion:
    """A version with a segment of 10 rows for each shard named; the first has dead rows."""
    segments = tuple(
        Segment(id=f"s{i}", shard=shard, rows=10, dimension=1, nlist=1, code_size=1, files={})
        for i, shard in enumerate(shards)
    )
    return VERSION.model_copy(update={"segments": segments, "tombstones": {"s0": Tombstones(sha256="", rows=dead)}})


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (merged_of(0, 1), None),
        (merged_of(0, 1, 0, 1, dead=4), None),
        (merged_of(0, 1, 0, 1, 1), "2 deltas, more than index.max_deltas = 1"),
        (merged_of(0, 1, dead=3), "15.0% dead rows, more than index.max_dead = 10.0%"),
    ],
)
def test_compaction_is_due_beyond_a_limit(version: IndexVersion, reason: str | None) -> None:
    assert due_compaction(version, IndexConfig(max_deltas=1, max_dead=0.1)) == reason
