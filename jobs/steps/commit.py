"""Checking a version and writing its manifest: the one way by which a version comes to be."""

import datetime
from collections.abc import Sequence
from typing import Any

import ray

from jobs.common.console import Progress
from jobs.common.store import open_layout, read_version, versions
from jobs.steps.build_tasks import RowChecks, check_rows, measure_recall, tune, write_answers
from retrieval.files.atomic import write_bytes
from retrieval.index.tuning import SearchRules
from schemas.config import Config
from schemas.errors import StoreError
from schemas.layout import Layout
from schemas.manifest import Checks, IndexVersion, Recall

MAX_IMBALANCE_GROWTH = 1.25
"""Of a version over the first one with its lists; scans take longer by as much. More, and training anew is proposed."""
MAX_RECALL_LOSS = 0.02
"""recall@10 that a version may lack of the first one with its lists."""


def commit(config: Config, version: IndexVersion) -> IndexVersion:
    """Tune a version whose files are there, if a recall is asked for, check it, and write its manifest.

    Raises:
        StoreError: it is not what it should be; it says why, and nothing is written.
    """
    layout = open_layout(config)
    progress = Progress("check", config.index.recall_queries, "queries")
    parent = read_version(layout, version.parent) if version.parent else None
    if parent and parent.recipe != version.recipe:
        parent = None  # of other articles
    truth: str = ray.get(write_answers.remote(config, layout, version, parent))
    if config.index.target_recall:
        rules: SearchRules = ray.get(tune.remote(config, layout, version, truth))
        version = version.model_copy(update=rules._asdict())
    rows: RowChecks
    recall: Recall
    rows, recall = ray.get([check_rows.remote(layout, version, parent), measure_recall.remote(layout, version, truth)])
    progress.add(recall.queries)
    progress.finish()
    checks = Checks(
        recall=recall,
        truth=truth,
        imbalance=rows.imbalance,
        dead_share=1 - version.articles / sum(s.rows for s in version.segments),
        removed_share=rows.removed / parent.articles if parent else 0.0,
    )
    _refuse(config, version, checks)
    checked = version.model_copy(update={"checks": checks})
    write_bytes(layout.version(version.id), checked.model_dump_json(indent=1).encode())
    return checked


def _refuse(config: Config, version: IndexVersion, checks: Checks) -> None:
    """Raise StoreError for a version that is below the limits of the configuration."""
    rules = config.index
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


def now() -> str:
    """Return the time in UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def report_of(layout: Layout, version: IndexVersion) -> dict[str, Any]:
    """Return what a job reports of a version."""
    return {
        "version": version.id,
        "articles": version.articles,
        "segments": len(version.segments),
        "dead_rows": sum(t.rows for t in version.tombstones.values()),
        "lists": version.segments[0].nlist,
        "nprobe": version.nprobe,
        "bytes": sum(f.bytes for s in version.segments for f in s.files.values()),
        "recall_at_10": version.checks.recall.at_10,
        "recall_at_100": version.checks.recall.at_100,
        "imbalance": version.checks.imbalance,
        "advice": _advice(version, versions(layout)),
    }


def _advice(version: IndexVersion, known: Sequence[IndexVersion]) -> str | None:
    """Propose to train anew where the lists fit worse than when they were trained."""
    first = next((v.checks for v in known if v.quantizer == version.quantizer), version.checks)
    worse, lost = version.checks.imbalance / first.imbalance, first.recall.at_10 - version.checks.recall.at_10
    if worse <= MAX_IMBALANCE_GROWTH and lost <= MAX_RECALL_LOSS:
        return None
    return (
        f"train anew with pubray index --full: since training the imbalance of the lists grew by {worse - 1:.0%}, "
        f"and recall@10 fell by {lost:.3f}"
    )
