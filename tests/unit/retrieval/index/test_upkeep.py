import pytest

from retrieval.index.upkeep import advice, due_compaction
from schemas.config import IndexConfig
from schemas.manifest import IndexVersion, Segment, Tombstones
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
