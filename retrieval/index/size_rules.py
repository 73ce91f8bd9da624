"""The numbers of an index that follow from the number of its articles, and where they come from."""

MAX_LISTS = 65_536
POINTS_PER_LIST = 64
"""Vectors that the centroid of a list is trained on, on average, where there are many lists."""

MIN_SAMPLE = 65_536


def nlist_for(rows: int) -> int:
    """Return the number of lists for a corpus: the power of two at or below rows / 128, between 1 and 65,536."""
    return min(MAX_LISTS, 1 << max(0, (rows // 128).bit_length() - 1))


def sample_for(nlist: int) -> int:
    """Return how many vectors the quantizer is trained on: 64 a list (FAISS's guide says 30 to 256), at least 65,536.

    For 65,536 lists 4.2 million, 6.4 GB of float16 at 768 dimensions.
    """
    return max(POINTS_PER_LIST * nlist, MIN_SAMPLE)


def nprobe_for(nlist: int) -> int:
    """Return how many lists a query scans: 16 * nlist^(1/4), so 64 of 256 and 256 of 65,536.

    docs/decisions/index.md has the figures.
    """
    return min(nlist, round(16 * nlist**0.25))


def metric_for(*, normalize: bool) -> str:
    """Return the first stage's metric.

    For vectors of length 1 both rank alike, and L2 leaves smaller residuals; raw inner products need their own.
    """
    return "l2" if normalize else "inner_product"
