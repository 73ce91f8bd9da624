"""What becomes of a version by its figures: whether it is taken, compacted, or trained anew."""

from collections.abc import Sequence

from schemas.config import IndexConfig
from schemas.errors import StoreError
from schemas.manifest import Checks, IndexVersion

MAX_IMBALANCE_GROWTH = 1.25
"""Of a version over the first one with its lists; scans take longer by as much. More, and training anew is proposed."""
MAX_RECALL_LOSS = 0.02
"""recall@10 that a version may lack of the first one with its lists."""


def check_limits(version: IndexVersion, checks: Checks, rules: IndexConfig) -> None:
    """Check a version against the limits of the configuration.

    Raises:
        StoreError: it is below one of them.
    """
    if checks.recall.at_10 < rules.recall_floor:
        raise StoreError(
            f"version {version.id} finds {checks.recall.at_10:.3f} of what an exact search finds, the floor is "
            f"{rules.recall_floor}; raise index.nprobe or index.candidates"
        )
    if checks.removed_share > rules.max_removed:
        raise StoreError(
            f"version {version.id} lacks {checks.removed_share:.1%} of the articles of {version.parent}, the limit is "
            f"{rules.max_removed:.1%}; if they are to go, set index.max_removed"
        )


def advice(version: IndexVersion, known: Sequence[IndexVersion]) -> str | None:
    """Propose to train anew where the lists fit worse than when they were trained; `known` are all, oldest first."""
    first = next((v.checks for v in known if v.quantizer == version.quantizer), version.checks)
    worse, lost = version.checks.imbalance / first.imbalance, first.recall.at_10 - version.checks.recall.at_10
    if worse <= MAX_IMBALANCE_GROWTH and lost <= MAX_RECALL_LOSS:
        return None
    return (
        f"train anew with pubray index --full: since training the imbalance of the lists grew by {worse - 1:.0%}, "
        f"and recall@10 fell by {lost:.3f}"
    )


def due_compaction(version: IndexVersion, rules: IndexConfig) -> str | None:
    """Return why a version is to be compacted, None if it is not."""
    shards = [s.shard for s in version.segments]
    deltas = max(shards.count(shard) for shard in set(shards)) - 1
    if deltas > rules.max_deltas:
        return f"{deltas} deltas, more than index.max_deltas = {rules.max_deltas}"
    dead = version.dead_rows / version.rows
    return f"{dead:.1%} dead rows, more than index.max_dead = {rules.max_dead:.1%}" if dead > rules.max_dead else None
