"""Merge the deltas of the CURRENT version into its base and drop its dead rows, where that is due.

The new version answers as the old one does, from one segment per shard. Memory of a merge: one group of lists, and a
byte a row; it reads and writes all of a shard.
"""

from typing import Annotated

from actors.service.servable import check_encoder
from actors.store.stores import open_store
from jobs.common.cluster.joining import connect
from jobs.common.options import Option
from jobs.common.store import compacted_id, read_version, served_version, version_names
from jobs.common.writer import writes
from jobs.steps.index.version_reports import report_of, show_version
from retrieval.index.upkeep import due_compaction
from schemas.config import Config
from schemas.manifest import UNCHECKED
from schemas.report import CompactReport


@writes("compact")
def run(config: Config, *, force: Annotated[bool, Option("whether it is due or not")] = False) -> CompactReport:
    """Compact the CURRENT version if it is due; the result is not served until `promote`.

    Raises:
        StoreError: nothing is served, or it is another encoder's, or what was merged is not what it should be, and is
            not written.
    """
    store = open_store(config)
    version = served_version(store)
    check_encoder(config, version)
    reason = due_compaction(version, config.index) or ("asked for" if force else "not due")
    if len(version.segments) == len({s.shard for s in version.segments}) and not version.tombstones:
        reason = "nothing to merge"
    if reason in ("not due", "nothing to merge"):
        return report_of(CompactReport, config, version, compacted=False, reason=reason)
    compacted = compacted_id(version.id)
    if compacted in version_names(store):
        found = read_version(store, compacted)
        return report_of(CompactReport, config, found, compacted=False, reason="exists")
    # Imported here: torch, which is behind them, takes a second, and most nights do without.
    from jobs.steps.index.build_tasks import merge
    from jobs.steps.index.commit import commit, merged, now
    from jobs.steps.index.population import population_of
    from jobs.steps.index.reservations import merging

    connect(config)
    shards = {s.shard for s in version.segments}
    placed = merge.options(**merging(config, version.quantizer, version.rows))
    merges = [placed.remote(store, version.quantizer, f"{compacted}-{shard}", shard, version) for shard in shards]
    population = population_of(config, version)
    made = {
        "id": compacted,
        "created": now(),
        "parent": version.id,
        "segments": merged("compact", version.articles, merges),
        "tombstones": {},
        "population": population,
        "checks": UNCHECKED,
    }
    new = commit(config, version.model_copy(update=made))
    return report_of(CompactReport, config, new, compacted=True, reason=reason)


def show(report: CompactReport) -> str:
    done = "compacted, not served yet: pubray promote" if report.compacted else "nothing was done"
    return show_version(report, f"{done} ({report.reason})")
