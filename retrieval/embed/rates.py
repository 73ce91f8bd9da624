"""How fast articles were embedded, from what was counted of all ranges."""

from schemas.report import EmbedRates
from schemas.vector import EmbedCounts


def embed_rates(totals: EmbedCounts, seconds: float, actors: int) -> EmbedRates:
    """Return the rates of `actors` encoders, which took `seconds` from begin to end; zeros where none did anything."""
    working = (totals.encode_seconds + totals.wait_seconds) / actors
    return EmbedRates(
        articles_per_second=totals.encoded / working if working else 0.0,
        tokens_per_second=totals.tokens / working if working else 0.0,
        padding_waste=1 - totals.tokens / totals.padded_tokens if totals.padded_tokens else 0.0,
        mfu=totals.flops / totals.peak_flops if totals.peak_flops else 0.0,
        waiting=totals.wait_seconds / actors / working if working else 0.0,
        seconds=seconds,
        start_up_seconds=seconds - working,
    )
