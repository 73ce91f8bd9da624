"""When an index is to be compacted, and when to be trained anew, by what manifests say."""

from collections.abc import Sequence

from schemas.config import IndexConfig
from schemas.manifest import IndexVersion

MAX_IMBALANCE_GROWTH = 1.25
"""Of a version over the first one with its lists; scans take longer by as much. More, and training anew is proposed."""
MAX_RECALL_LOSS = 0.02
"""recall@10 that a version may lack of the first one with its lists."""


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


def due_compaction(version: IndexVersion, rules: IndexConfig, coming: int = 0) -> str | None:
    """Return why a version is to be compacted, None if it is not; `coming`: deltas that are added before."""
    shards = [s.shard for s in version.segments]
    deltas = max(shards.count(shard) for shard in set(shards)) - 1 + coming
    if deltas > rules.max_deltas:
        return f"{deltas} deltas, more than index.max_deltas = {rules.max_deltas}"
    dead = version.dead_rows / version.rows
    return f"{dead:.1%} dead rows, more than index.max_dead = {rules.max_dead:.1%}" if dead > rules.max_dead else None
