"""What is reported of a version, and when it is refused or training anew is proposed."""

from pathlib import Path

import pytest

from jobs.steps.commit import _advice, _refuse
from schemas.config import IndexConfig
from schemas.errors import StoreError
from schemas.manifest import Checks, IndexVersion
from tests.support.seams import VERSION
from tests.support.stores import config


def version(imbalance: float = 1, recall: float = 0.97, quantizer: str = "q1") -> IndexVersion:
    checks = VERSION.checks.model_copy(
        update={"imbalance": imbalance, "recall": VERSION.checks.recall.model_copy(update={"at_10": recall})}
    )
    return VERSION.model_copy(update={"checks": checks, "quantizer": quantizer})


FIRST = version(2.0, 0.97)


@pytest.mark.parametrize("later", [FIRST, version(2.5, 0.97), version(1.0, 0.955), version(9, 0.5, quantizer="q2")])
def test_lists_that_fit_are_kept(later: IndexVersion) -> None:
    assert _advice(later, [version(1.0, 0.99, "q0"), FIRST, later]) is None


def test_training_anew_is_proposed_where_the_lists_fit_worse_than_when_they_were_trained() -> None:
    found = [_advice(later, [FIRST, version(3.1), later]) for later in (version(3.0), version(2.0, 0.94))]
    assert [text and text.partition(": ")[2] for text in found] == [
        "since training the imbalance of the lists grew by 50%, and recall@10 fell by 0.000",
        "since training the imbalance of the lists grew by 0%, and recall@10 fell by 0.030",
    ]


def checks(recall: float, removed: float) -> Checks:
    return version(recall=recall).checks.model_copy(update={"removed_share": removed})


def test_a_version_within_the_limits_is_accepted(tmp_path: Path) -> None:
    rules = IndexConfig(recall_floor=0.9, max_removed=0.1)
    _refuse(config(tmp_path, index=rules), VERSION, checks(0.9, 0.1))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (checks(0.89, 0), "version v1 finds 0.890 of what an exact search finds, the floor is 0.9; raise index.nprobe"),
        (checks(0.9, 0.11), "version v1 lacks 11.0% of the articles of None, the limit is 10.0%; if they are to go"),
    ],
)
def test_a_version_beyond_a_limit_is_refused_and_the_limit_named(found: Checks, words: str, tmp_path: Path) -> None:
    rules = IndexConfig(recall_floor=0.9, max_removed=0.1)
    with pytest.raises(StoreError, match=words):
        _refuse(config(tmp_path, index=rules), VERSION, found)
