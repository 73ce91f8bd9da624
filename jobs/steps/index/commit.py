"""Checking a version and writing its manifest: the one way by which a version comes to be."""

import datetime
from collections.abc import Sequence

import ray

from actors.fetch.stored_models import brought, found_before
from actors.store.stores import open_store
from jobs.common.cluster.joining import results
from jobs.common.console import Progress, log
from jobs.common.store import change_current, read_version, snapshots, versions, wrote
from jobs.steps.index.build_tasks import ask_canaries, check_rows, measure_recall, tune, write_answers
from jobs.steps.index.reservations import asking, checking
from retrieval.evaluate.canaries import read_canaries
from retrieval.files.checked import write_bytes
from retrieval.index.gates import Arrivals, arrivals, usual_shares
from retrieval.index.tuning import SearchRules
from retrieval.index.version_checks import RowChecks
from retrieval.ingest.lineage import line_of_descent
from schemas.canary import CanaryAnswer
from schemas.config import Config
from schemas.errors import CheckError, InputError, StoreError
from schemas.layout import Layout
from schemas.manifest import Checks, IndexVersion, Recall, Segment
from schemas.store import Store


def commit(config: Config, version: IndexVersion) -> IndexVersion:
    """Tune a version whose files are there, if a recall is asked for, check it, and write its manifest.

    Raises:
        StoreError: it does not hold what it should; it says what, and nothing is written.
    """
    config = with_models(config)
    store, canaries = open_store(config), read_canaries(config.index.canaries)
    progress = Progress("check", config.index.recall_queries, "queries")
    parent = _parent(store, version.parent) if version.parent else None
    alike = parent if parent and parent.recipe == version.recipe else None
    asks, threads = asking(config, version)
    truth: str = ray.get(write_answers.options(**asks).remote(config, store, version, alike, threads))
    if config.index.target_recall:
        rules: SearchRules = ray.get(tune.options(**asks).remote(config, store, version, truth))
        version = version.model_copy(update=rules._asdict())
    rows: RowChecks
    recall: Recall
    looks = checking(config, version.rows, version.quantizer)
    by_rows = check_rows.options(**looks).remote(store, version, parent)
    rows, recall = ray.get([by_rows, measure_recall.options(**looks).remote(store, version, truth)])
    answers: tuple[CanaryAnswer, ...] = ()
    changed: float | None = None
    if canaries:
        answers, changed = ray.get(
            ask_canaries.options(**asks).remote(config, store, version, parent, canaries, threads)
        )
    progress.add(recall.queries)
    progress.finish()
    checks = Checks(
        recall=recall,
        truth=truth,
        imbalance=rows.imbalance,
        dead_share=1 - version.articles / version.rows,
        removed_share=rows.removed / parent.articles if parent else 0.0,
        canaries=answers,
        canary_change=changed,
        **_arrivals(store, version, parent)._asdict(),
        usual_shares=usual_shares(parent.checks if parent else None),
    )
    sequence = max((known.sequence for known in versions(store)), default=0) + 1
    checked = version.model_copy(update={"checks": checks, "sequence": sequence, "models": config.stored})
    content = checked.model_dump_json(indent=1)
    if IndexVersion.model_validate_json(content) != checked:
        raise CheckError(f"version {version.id} would not be read as it was written; CURRENT is what it was")
    write_bytes(store, Layout.version(version.id), content.encode())
    wrote(store, Layout.version.folder)
    # gc was removing it, perhaps, when it was stopped.
    change_current(store, lambda current: current.removes_no_more({version.id}))
    return checked


def _arrivals(store: Store, version: IndexVersion, parent: IndexVersion | None) -> Arrivals:
    """Return what came in source files since the version that another was built on."""
    known = {snapshot.id: snapshot for snapshot in snapshots(store)}
    before = known.get(parent.snapshot) if parent else None
    line = line_of_descent([*known.values(), known[version.snapshot]])
    return arrivals(line, before.info if before else None)


def with_models(config: Config) -> Config:
    """Bring the models to the store by which a version is checked and served, those that are not there already.

    Without a re-ranker, which is a searcher's choice, a version is a version.
    """
    config = found_before(config, versions(open_store(config)))
    config = brought(config, config.encoder.query, config.encoder.article)
    if config.rerank.kind != "cross-encoder" or not config.rerank.model:
        return config
    try:
        return brought(config, config.rerank)
    except InputError as error:
        log(f"check     the re-ranker is not in the store, and searchers have to find it themselves: {error}")
        return config


def _parent(store: Store, version: str) -> IndexVersion | None:
    """Return the version that a new one is compared with, if it can be read: it may be why a new one is built."""
    try:
        return read_version(store, version)
    except StoreError as error:
        log(f"check     what the new version lacks of CURRENT is not known: {error}")
        return None


def merged(stage: str, rows: int, merges: Sequence[ray.ObjectRef[Segment]]) -> tuple[Segment, ...]:
    """Wait for the merges of `rows` rows, one a shard; return the segments that have any, by shard."""
    segments: list[Segment] = results(merges, stage, rows, "rows", lambda segment: segment.rows)
    return tuple(sorted((s for s in segments if s.rows), key=lambda s: s.shard))


def now() -> str:
    """Return the time in UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
