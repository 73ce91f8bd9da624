"""The numbers of an index: by rules from the number of its articles, and by measurement to reach a recall."""

from bisect import bisect_left
from collections.abc import Callable
from typing import NamedTuple

from schemas.errors import StoreError

MAX_LISTS = 65_536
POINTS_PER_LIST = 64
"""Vectors that the centroid of a list is trained on, on average, where there are many lists."""

MIN_SAMPLE = 65_536

WIDER = 16
"""Times the lists of the rule that are tried at most: 4,096 of 65,536, and all of 256."""
MORE_CANDIDATES = (1, 2, 4, 8)


def nlist_for(rows: int) -> int:
    """Return the number of lists for a corpus: the power of two at or below rows / 128, between 1 and 65,536."""
    return min(MAX_LISTS, 1 << max(0, (rows // 128).bit_length() - 1))


def sample_for(nlist: int) -> int:
    """Return how many vectors the quantizer is trained on: 64 a list (FAISS's guide says 30 to 256), at least 65,536.

    For 65,536 lists 4.2 million, 6.4 GB of float16 at 768 dimensions.
    """
    return max(POINTS_PER_LIST * nlist, MIN_SAMPLE)


def nprobe_for(nlist: int) -> int:
    """Return how many lists a query scans: 16 * nlist^(1/4), so 64 of 256, 256 of 65,536 (docs/decisions/index.md)."""
    return min(nlist, round(16 * nlist**0.25))


def metric_for(*, normalize: bool) -> str:
    """Return the first stage's metric.

    For vectors of length 1 both rank alike, and L2 leaves smaller residuals; raw inner products need their own.
    """
    return "l2" if normalize else "inner_product"


class SearchRules(NamedTuple):
    """How many lists a query scans, and how many rows are scored exactly."""

    nprobe: int
    candidates: int


def nprobes(nlist: int) -> list[int]:
    """Return the numbers of lists that are tried: 1, 2, 3, 4, 6, 8, 12, 16, … up to `WIDER` times the rule's."""
    last = min(nlist, WIDER * nprobe_for(nlist))
    steps = {size for power in range(last.bit_length()) for size in (2**power, 3 * 2**power // 2)}
    return sorted({*(size for size in steps if size < last), last})


def cheapest_rules(
    target: float, nlist: int, candidates: int, recall_of: Callable[[SearchRules], float]
) -> SearchRules:
    """Return the fewest lists whose recall reaches `target`, with more candidates only where no number of lists does.

    Recall is taken to grow with the lists, so a handful of measurements is enough.

    Raises:
        StoreError: nothing that is tried reaches the target.
    """
    ladder, best, reached = nprobes(nlist), SearchRules(0, 0), -1.0
    for factor in MORE_CANDIDATES:
        wide = SearchRules(ladder[-1], factor * candidates)
        if (found := recall_of(wide)) >= target:
            enough = bisect_left(ladder[:-1], True, key=lambda n: recall_of(wide._replace(nprobe=n)) >= target)
            return wide._replace(nprobe=ladder[enough])
        if found > reached:
            best, reached = wide, found
    raise StoreError(
        f"recall@10 {target} is out of reach: the best is {reached:.4f}, with nprobe {best.nprobe} and "
        f"{best.candidates} candidates; lower index.target_recall, or give an index.type of more bits"
    )
