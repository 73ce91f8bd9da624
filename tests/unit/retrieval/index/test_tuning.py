import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.evaluate.truth import recall
from retrieval.index.tuning import SearchRules, cheapest_rules, metric_for, nlist_for, nprobe_for, nprobes, sample_for
from retrieval.search.segment_search import search, search_exactly
from schemas.errors import StoreError
from tests.support.stores import corpus


@given(st.integers(0, 10**9))
def test_nlist_is_the_power_of_two_at_or_below_a_128th(rows: int) -> None:
    nlist = nlist_for(rows)
    assert 1 <= nlist <= 65_536
    assert nlist.bit_count() == 1
    assert nlist == 1 or nlist * 128 <= rows
    assert nlist == 65_536 or rows < nlist * 256


@given(st.integers(1, 2**20))
def test_nprobe_is_within_nlist_and_grows_with_it(nlist: int) -> None:
    assert 1 <= nprobe_for(nlist) <= nlist
    assert nprobe_for(nlist) <= nprobe_for(nlist + 1)


def test_nprobe_is_what_was_measured() -> None:
    assert [nprobe_for(nlist) for nlist in (1, 16, 256, 65_536)] == [1, 16, 64, 256]


def test_raw_inner_products_have_their_own_metric() -> None:
    assert (metric_for(normalize=True), metric_for(normalize=False)) == ("l2", "inner_product")


def test_the_sample_is_64_a_list_and_never_tiny() -> None:
    assert [sample_for(nlist) for nlist in (1, 256, 1024, 4096, 65_536)] == [65_536, 65_536, 65_536, 262_144, 4_194_304]


@given(st.integers(1, 2**16))
def test_the_ladder_grows_in_small_steps_from_1_to_the_most_that_is_tried(nlist: int) -> None:
    ladder = nprobes(nlist)
    assert ladder[0] == 1
    assert ladder[-1] == min(nlist, 16 * min(nlist, round(16 * nlist**0.25)))
    assert all(low < high <= 2 * low for low, high in itertools.pairwise(ladder))


@given(need=st.integers(1, 256), target=st.floats(0.1, 1))
def test_the_fewest_lists_of_the_ladder_that_reach_the_target_are_found(need: int, target: float) -> None:
    rules = cheapest_rules(target, 256, 200, lambda rules: target if rules.nprobe >= need else target / 2)
    assert rules == (min(n for n in nprobes(256) if n >= need), 200)


def test_candidates_grow_only_where_no_number_of_lists_reaches_the_target() -> None:
    def share(rules: SearchRules) -> float:
        return min(1.0, rules.candidates / 500) * min(1.0, rules.nprobe / 20)

    assert cheapest_rules(0.4, 64, 200, share) == (24, 200)
    assert cheapest_rules(0.9, 64, 200, share) == (24, 800)


def test_a_target_out_of_reach_names_the_best() -> None:
    with pytest.raises(StoreError) as caught:
        cheapest_rules(0.99, 64, 200, lambda rules: 0.9 if rules.candidates >= 800 else 0.8)
    assert str(caught.value) == (
        "recall@10 0.99 is out of reach: the best is 0.9000, with nprobe 64 and 800 candidates; "
        "lower index.target_recall, or give an index.type of more bits"
    )


def test_rules_of_a_real_index_reach_the_target_and_fewer_lists_do_not(tmp_path: Path) -> None:
    rows, pmids = corpus.vectors(0, 2000), np.arange(2000)
    quantizer = corpus.quantizer("RR16,IVF32,RaBitQ", rows)
    segment = corpus.build(tmp_path / "s", quantizer, rows, pmids)
    queries = corpus.queries(1, 100)
    truth = [found.pmids for found in search_exactly(queries, [segment], 10)]

    def measured(rules: SearchRules) -> float:
        found = search(queries, [segment], quantizer, nprobe=rules.nprobe, candidates=rules.candidates)
        return recall([candidates.pmids for candidates in found], truth, 10)

    rules = cheapest_rules(0.95, 32, 100, measured)
    assert measured(rules) >= 0.95
    assert 1 < rules.nprobe < 32
    ladder = nprobes(32)
    assert measured(rules._replace(nprobe=ladder[ladder.index(rules.nprobe) - 1])) < 0.95
