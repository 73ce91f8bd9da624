"""Queries whose answers are known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.common.config import ROOT
from retrieval.evaluate.canaries import DEPTH, answer, change, read_canaries
from retrieval.search.segment_search import Candidates
from schemas.arrays import Mask, Pmids
from schemas.canary import Canary, CanaryAnswer
from schemas.errors import UsageError
from tests.support.stores import corpus

QUERY = '[[query]]\ntext = "statin"\nmust_find = [11, 12]\n'


def test_a_file_is_read_and_none_is_none(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(QUERY)
    assert read_canaries(str(tmp_path / "c.toml")) == (Canary(text="statin", must_find=(11, 12)),)
    assert read_canaries(None) == ()
    assert len(read_canaries(str(ROOT / "infra" / "canaries.toml"))) >= 10


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "No such file or directory"),
        (b"query =", "not TOML"),
        (b"\xff", "not TOML"),
        (b"", "query: field required"),
        (QUERY.replace("[11, 12]", "[]").encode(), "query.0.must_find = \\(?\\[?"),
        (QUERY.replace("must_find", "must_fnd").encode(), "must_find"),
    ],
)
def test_what_is_no_such_file_is_refused(content: bytes | None, told: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "c.toml").write_bytes(content)
    with pytest.raises(UsageError, match=rf"^index\.canaries = .*c\.toml': .*{told}"):
        read_canaries(str(tmp_path / "c.toml"))


def found(*pmids: int) -> Candidates:
    """Candidates of these PMIDs, the best last."""
    numbers, nothing = np.array(pmids, np.int64), np.zeros(len(pmids))
    scores = np.arange(len(pmids), dtype=np.float32)
    return Candidates(nothing.astype(np.float32), scores, numbers, nothing.astype(int), nothing.astype(int))


def test_an_answer_is_the_first_ten_and_what_they_lack_of_what_is_there(tmp_path: Path) -> None:
    quantizer = corpus.quantizer("IVF2,Flat", corpus.vectors(0, 80))
    whole = corpus.build(tmp_path / "s", quantizer, corpus.vectors(1, 3), np.array([1, 2, 12]))
    segment = corpus.opened(tmp_path / "s", whole.manifest, quantizer, dead=np.flatnonzero(whole.pmids == 2))
    made = answer(Canary(text="t", must_find=(1, 2, 12, 99)), found(*range(1, 13)), [segment])
    assert made == CanaryAnswer(text="t", found=(12, 11, 10, 9, 8, 7, 6, 5, 4, 3), missing=(1,))


def asked(*pmids: int) -> list[CanaryAnswer]:
    return [CanaryAnswer(text="t", found=pmids)]


def among(*pmids: int) -> Callable[[Pmids], Mask]:
    return lambda wanted: np.isin(wanted, pmids)


@pytest.mark.parametrize(
    ("before", "after", "came", "gone", "share"),
    [
        ((1, 2, 3, 4), (1, 2, 3, 4), (), (), 0),
        ((1, 2, 3, 4), (4, 3, 2, 1), (), (), 0),
        ((1, 2, 3, 4), (9, 1, 2, 3), (9,), (), 0),  # a new one before them
        ((1, 2, 3, 4), (9, 1, 2, 3), (), (), 0.25),  # which is not new
        ((1, 2, 3, 4), (1, 2, 3, 5), (), (4,), 0),  # one is gone, and another comes up
        ((1, 2, 3, 4), (5, 6, 7, 8), (), (), 1),
        ((1, 2, 3, 4), (5, 6, 7, 8), (5, 6, 7, 8), (), 0),
        ((1, 2), (), (), (1, 2), 0),
    ],
)
def test_what_articles_change_is_no_change(
    before: tuple[int, ...], after: tuple[int, ...], came: tuple[int, ...], gone: tuple[int, ...], share: float
) -> None:
    stays = tuple({*before} - {*gone})
    assert change(asked(*before), asked(*after), among(*came), among(*stays)) == pytest.approx(share)


def test_what_was_not_asked_before_has_not_changed() -> None:
    assert change([], asked(1), among(), among()) is None
    assert change([CanaryAnswer(text="other", found=(1,))], asked(1), among(), among()) is None


@given(st.dictionaries(st.integers(1, 40), st.floats(0, 1), min_size=1), st.sets(st.integers(1, 40)), st.data())
def test_a_night_over_the_same_vectors_changes_nothing(
    scores: dict[int, float], deleted: set[int], data: st.DataObject
) -> None:
    """Whatever comes, goes or is revised: what stays is in the order that it had."""
    new = data.draw(st.dictionaries(st.integers(1, 80), st.floats(0, 1)))
    after = {pmid: score for pmid, score in scores.items() if pmid not in deleted} | new

    def best(of: dict[int, float]) -> tuple[int, ...]:
        return tuple(sorted(of, key=lambda pmid: (-of[pmid], pmid))[:DEPTH])

    def stayed(pmids: Pmids) -> Mask:
        return np.array([pmid in after and pmid not in new for pmid in pmids.tolist()], bool)

    assert change(asked(*best(scores)), asked(*best(after)), among(*new), stayed) == 0
