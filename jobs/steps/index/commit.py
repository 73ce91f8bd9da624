"""Checking a version and writing its manifest: the one way by which a version comes to be."""

import datetime
from collections.abc import Sequence
from typing import TypeVar

import ray

from actors.fetch.stored_models import brought, found_before
from actors.store.stores import open_store
from jobs.common.cluster.joining import results
from jobs.common.console import Progress, log, table
from jobs.common.store import change_current, read_version, snapshots, versions
from jobs.steps.index.build_tasks import ask_canaries, check_rows, measure_recall, tune, write_answers
from retrieval.evaluate.canaries import read_canaries
from retrieval.files.checked import write_bytes
from retrieval.index.gates import Arrivals, arrivals, gates, usual_shares
from retrieval.index.tuning import SearchRules
from retrieval.index.version_checks import RowChecks, advice
from retrieval.ingest.lineage import line_of_descent
from schemas.canary import CanaryAnswer
from schemas.config import Config
from schemas.errors import CheckError, InputError, StoreError
from schemas.layout import Layout
from schemas.manifest import Checks, Current, IndexVersion, Recall, Segment
from schemas.report import VersionReport
from schemas.store import Store

Kind = TypeVar("Kind", bound=VersionReport)


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
    truth: str = ray.get(write_answers.remote(config, store, version, alike))
    if config.index.target_recall:
        rules: SearchRules = ray.get(tune.remote(config, store, version, truth))
        version = version.model_copy(update=rules._asdict())
    rows: RowChecks
    recall: Recall
    rows, recall = ray.get([check_rows.remote(store, version, parent), measure_recall.remote(store, version, truth)])
    answers: tuple[CanaryAnswer, ...] = ()
    changed: float | None = None
    if canaries:
        answers, changed = ray.get(ask_canaries.remote(config, store, version, parent, canaries))
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
    change_current(store, lambda current: _stays(current, version.id))
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


def _stays(current: Current, version: str) -> Current:
    """Return CURRENT without a version among those that `gc` was removing when it was stopped: it is made anew."""
    left = tuple(v for v in current.removing if v != version)
    return current if left == current.removing else current.removes(left)


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


def report_of(kind: type[Kind], config: Config, version: IndexVersion, **did: bool | str) -> Kind:
    """Return what a job reports of a version, and what it did."""
    known = versions(open_store(config))
    parent = next((v.segments for v in known if v.id == version.parent), ())
    return kind(
        version=version.id,
        articles=version.articles,
        segments=len(version.segments),
        dead_rows=version.dead_rows,
        lists=version.segments[0].nlist,
        nprobe=version.nprobe,
        bytes=version.bytes,
        new_bytes=sum(segment.bytes for segment in version.segments if segment not in parent),
        recall_at_10=version.checks.recall.at_10,
        recall_at_100=version.checks.recall.at_100,
        imbalance=version.checks.imbalance,
        canaries=version.checks.canaries,
        gates=gates(version, config.index, known),
        advice=advice(version, known),
        **did,
    )


def show_version(report: VersionReport, done: str) -> str:
    """Return for a person what was done of a version, and its figures."""
    shown = set(VersionReport.model_fields) - {"failures", "version", "canaries", "gates"}
    figures = report.model_dump(include=shown, exclude_none=True)
    return f"version {report.version}: {done}\n{table(['of the version', 'value'], figures.items())}"
