import pytest

from retrieval.embed.rates import embed_rates
from schemas.vector import EmbedCounts


def test_rates_are_those_of_the_time_in_which_encoders_were_up() -> None:
    counts = EmbedCounts(
        encoded=600, tokens=3000, padded_tokens=4000, flops=1, peak_flops=4, encode_seconds=15, wait_seconds=5
    )
    rates = embed_rates(counts, seconds=12, actors=2)
    assert (rates.articles_per_second, rates.tokens_per_second) == (60, 300)
    assert (rates.padding_waste, rates.mfu, rates.waiting) == pytest.approx((0.25, 0.25, 0.25))
    assert (rates.seconds, rates.start_up_seconds) == (12, 2)


def test_where_nothing_was_done_all_are_zero() -> None:
    assert set(embed_rates(EmbedCounts(), seconds=0, actors=1).model_dump().values()) == {0}
