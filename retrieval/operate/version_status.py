"""What is told of a version: the figures of its manifest, segment by segment."""

from collections.abc import Iterator

from schemas.manifest import IndexVersion
from schemas.report import SegmentStatus, VersionStatus


def version_status(version: IndexVersion, newest_source: str | None, hours: float | None) -> VersionStatus:
    """Return what a manifest says; `hours` ago the newest source file of its snapshot was ingested."""
    return VersionStatus(
        version=version.id,
        created=version.created,
        parent=version.parent,
        snapshot=version.snapshot,
        newest_source=newest_source,
        hours_since_ingest=hours,
        selection=version.selection,
        encoder=version.encoder.name,
        articles=version.articles,
        dead_rows=version.dead_rows,
        bytes=version.bytes,
        segments=tuple(_segments(version)),
        recall_at_10=version.checks.recall.at_10,
        recall_at_100=version.checks.recall.at_100,
        imbalance=version.checks.imbalance,
        dead_share=version.checks.dead_share,
        removed_share=version.checks.removed_share,
    )


def _segments(version: IndexVersion) -> Iterator[SegmentStatus]:
    bases: dict[int, str] = {}
    for segment in version.segments:
        dead = version.tombstones[segment.id].rows if segment.id in version.tombstones else 0
        yield SegmentStatus(
            segment=segment.id,
            shard=segment.shard,
            kind="base" if bases.setdefault(segment.shard, segment.id) == segment.id else "delta",
            live_rows=segment.rows - dead,
            dead_rows=dead,
            bytes=segment.bytes,
        )
