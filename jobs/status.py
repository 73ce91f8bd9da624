"""What is in the store: parts, versions, which one is served, how fresh it is, how much room it takes."""

from collections.abc import Mapping
from typing import Annotated

from actors.store.stores import open_store
from jobs.common.console import cut, megabytes, table
from jobs.common.options import Option
from jobs.common.run_records import runs
from jobs.common.store import article_parts, folder_sizes, read_current, snapshots, unreadable_versions, versions
from jobs.steps.index.version_files import check_bytes
from retrieval.articles.snapshot import Snapshot
from retrieval.ingest.lineage import gaps
from retrieval.ingest.sources import source_order
from retrieval.operate.version_status import version_status
from schemas.config import Config
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.report import StatusReport, VersionStatus

HEADERS = ("version", "", "created (UTC)", "articles", "dead", "segments", "recall@10", "GB", "newest source", "age")
"""Of the table of versions; segments are bases + deltas."""


def run(
    config: Config, *, verify: Annotated[bool, Option("read every byte of every version against its digest")] = False
) -> StatusReport:
    """Return what the store holds.

    Raises:
        IntegrityError: something in it is not what it was.
    """
    store = open_store(config)
    current = read_current(store)
    found = versions(store)
    if verify:
        for version in found:
            check_bytes(store, version)
    known = snapshots(store)
    snapshot = known[-1] if known else None
    refs = snapshot.info.parts if snapshot else ()
    left_out = set(snapshot.info.left_out) if snapshot else set[str]()
    now = store.now()
    ingested = {one.key: (now - one.modified) / 3.6e12 for one in store.entries(Layout.article_part.folder)}
    in_use = {ref.name for each in known for ref in each.info.parts}
    return StatusReport(
        store=store.root,
        current=current.version if current else None,
        withdrawn=current.withdrawn if current else (),
        verified=verify,
        snapshot=snapshot.id if snapshot else None,
        articles=snapshot.info.counts.alive if snapshot else 0,
        article_parts=len(refs),
        records=sum(ref.rows - ref.deletions for ref in refs),
        newest_source=refs[-1].name if refs else None,
        pending_parts=tuple(sorted(article_parts(store) - in_use - left_out, key=source_order)),
        left_out=tuple(sorted(left_out)),
        gaps=gaps(snapshot.info) if snapshot else (),
        versions=tuple(_version(v, known, ingested) for v in found),
        unpromoted=tuple(v.id for v in found if current and not current.knows(v.id)),
        unreadable=tuple(unreadable_versions(store)),
        bytes=folder_sizes(store),
        writer=store.writer(),
        last_night=next((one for one in reversed(runs(store).runs) if one.job == "nightly"), None),
    )


def show(report: StatusReport) -> str:
    sizes = ", ".join(f"{name} {megabytes(size)}" for name, size in report.bytes.items())
    newest = f", newest {report.newest_source}; {report.articles:,} articles" if report.newest_source else ""
    lines = [
        f"store {report.store}: {sizes}",
        f"{report.article_parts} article parts, {report.records:,} records{newest}",
    ]
    if pending := report.pending_parts:
        lines.append(
            f"{len(pending)} article parts, from {pending[0]}, are in no snapshot yet: run pubray ingest again"
        )
    if report.left_out:
        lines.append(f"left out until pubray ingest --with: {', '.join(report.left_out)}")
    if report.gaps:
        lines.append(f"{len(report.gaps)} update files are missing, from {report.gaps[0]}: ingest them")
    lines += [f"cannot be read: {why}" for why in report.unreadable]
    if report.writer:
        lines.append(f"{report.writer} is writing")
    if night := report.last_night:
        at = (
            f" at {night.stage}"
            if night.stage and night.outcome in ("running", "died", "failed", "interrupted")
            else ""
        )
        lines.append(f"the last night began {night.started[:16]}: {night.outcome}{at}")
    if report.verified:
        lines.append("every file of every version has its digest")
    if not report.versions:
        return "\n".join([*lines, "no versions yet: pubray embed, then pubray index"])
    marks = dict.fromkeys(report.unpromoted, "unpromoted") | dict.fromkeys(report.withdrawn, "withdrawn")
    marks[report.current or ""] = "CURRENT"
    return "\n".join([*lines, table(HEADERS, [_row(v, marks.get(v.version, "")) for v in report.versions])])


def _row(version: VersionStatus, mark: str) -> list[object]:
    """Return a version's line of the table; the rest is for `--json`."""
    bases = len({s.shard for s in version.segments})
    return [
        version.version,
        mark,
        version.created[:16],
        version.articles,
        version.dead_rows,
        f"{bases} + {len(version.segments) - bases}",
        version.recall_at_10,
        version.bytes / 1e9,
        cut(version.newest_source or "-", 13),
        _age(version.hours_since_ingest),
    ]


def _age(hours: float | None) -> str:
    if hours is None:
        return "-"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} d"


def _version(version: IndexVersion, known: list[Snapshot], ingested: Mapping[str, float]) -> VersionStatus:
    """Return what is told of a version; it is as fresh as the newest article part of its snapshot.

    ingested: how many hours ago, by the key of the article part.
    """
    parts = next((s.info.parts for s in known if s.id == version.snapshot), ())
    newest = parts[-1].name if parts else None
    return version_status(version, newest, ingested.get(Layout.article_part(newest)) if newest else None)
