from collections import Counter
from contextlib import suppress

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.train.pairs.answers import query_hash
from retrieval.train.pairs.held_out_pairs import judged_by
from retrieval.train.pairs.pair_sets import pair_table
from schemas.errors import InputError
from schemas.pair import Pair, Signal

SIGNALS: list[Signal] = ["title", "mesh"]
PAIRS = st.lists(st.tuples(st.integers(1, 40), st.sampled_from(SIGNALS), st.integers(0, 3)), max_size=60)


def judged(pairs: list[Pair], most: int, *, decides: bool) -> dict[str, pa.Table]:
    """Nothing where none decides, which is refused."""
    with suppress(InputError):
        return judged_by(pair_table(pairs), most, decides=decides)
    assert decides
    return {}


def pair(pmid: int, signal: Signal, query: int) -> Pair:
    return Pair(f"{query_hash(str(query)):016x}", str(query), pmid, signal, "held-out")


@given(PAIRS, st.integers(1, 50), st.randoms())
def test_a_pair_of_an_article_and_the_same_whatever_their_order(
    of: list[tuple[int, Signal, int]], most: int, order: object
) -> None:
    pairs = [pair(*one) for one in dict.fromkeys(of)]
    sides = [judged(pairs, most, decides=decides) for decides in (True, False)]
    pmids = [{pmid for table in side.values() for pmid in table["pmid"].to_pylist()} for side in sides]
    assert not pmids[0] & pmids[1]
    if most >= 40:
        assert pmids[0] | pmids[1] == {one.pmid for one in pairs}
    for side in sides:
        for signal, table in side.items():
            assert {*table["signal"].to_pylist()} <= {signal}
            assert len(table) <= most
            assert not Counter(table["pmid"].to_pylist()) or max(Counter(table["pmid"].to_pylist()).values()) == 1
    order.shuffle(pairs)  # type: ignore[attr-defined]
    again = judged(pairs, most, decides=True)
    assert {s: {*t["pmid"].to_pylist()} for s, t in again.items()} == {
        s: {*t["pmid"].to_pylist()} for s, t in sides[0].items()
    }


def test_a_run_that_nothing_could_decide_is_refused() -> None:
    with pytest.raises(InputError, match="no pair is held out by which the run could decide; mine with a larger"):
        judged_by(pair_table([]), 5, decides=True)
    assert judged_by(pair_table([]), 5, decides=False) == {}
