from hypothesis import given
from hypothesis import strategies as st

from retrieval.index.size_rules import metric_for, nlist_for, nprobe_for, sample_for


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
