"""Vector parts → quantizer → worker shards → segments → a checked version. Nothing is served until `promote`.

What exists under the digest of its inputs is not made again, so a rerun after a crash goes on where it stopped.
"""

import argparse
import datetime
import shutil
from pathlib import Path
from typing import Any

import ray

from actors.models import tower_digests
from jobs.build import VectorSource, build_worker_shards, measure_recall, merge_shard, train
from jobs.cluster import connect, finished
from jobs.console import Progress, table
from jobs.store import ingested, load_selection, open_layout, read_current, read_version
from retrieval.parts import count_vectors, row_ranges
from retrieval.quantizer import metric_for, nlist_for, nprobe_for
from retrieval.storage import read_document, write_bytes
from schemas.base import digest
from schemas.config import Config
from schemas.encoder import article_fingerprint
from schemas.errors import StoreError
from schemas.manifest import IndexVersion, QuantizerRecord, Recall, Segment
from schemas.vector import RowRange


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the job's options: none of its own."""


def run(config: Config, options: argparse.Namespace) -> dict[str, Any]:
    """Build the version of the newest snapshot, unless it is there already."""
    build = _Build(config)
    path = Path(build.layout.version(build.id))
    if path.exists():
        version = read_version(build.layout, build.id)
        return {**_report(version), "built": False}
    connect()
    version = build.run()
    write_bytes(str(path), version.model_dump_json(indent=1).encode())
    for shards in build.temporary:
        shutil.rmtree(shards, ignore_errors=True)
    return {**_report(version), "built": True}


def show(report: dict[str, Any]) -> str:
    """Return the report for a person."""
    head = f"version {report['version']}: " + ("built, not served yet: pubray promote" if report["built"] else "exists")
    rows = [[key, value] for key, value in report.items() if key not in ("version", "built")]
    return f"{head}\n{table(['of the version', 'value'], rows)}"


def _report(version: IndexVersion) -> dict[str, Any]:
    return {
        "version": version.id,
        "articles": version.articles,
        "segments": len(version.segments),
        "lists": version.segments[0].nlist,
        "nprobe": version.nprobe,
        "bytes": sum(f.bytes for s in version.segments for f in s.files.values()),
        "recall_at_10": version.recall.at_10,
        "recall_at_100": version.recall.at_100,
    }


class _Build:
    """One build: its inputs, all of which are in its id, and its steps."""

    def __init__(self, config: Config) -> None:
        self.config, self.layout = config, open_layout(config)
        snapshot = ingested(self.layout)
        self.snapshot = snapshot.id
        self.selection, self.pmids = load_selection(config.selection)
        self.query_tower = tower_digests(config.encoder.query, Path(config.cache))
        article_tower = tower_digests(config.encoder.article, Path(config.cache))
        self.fingerprint = article_fingerprint(config.encoder, article_tower)
        self.ranges = row_ranges(snapshot.info.parts, config.embed.rows_per_part)
        self.inputs = {
            "snapshot": self.snapshot,
            "selection": self.selection,
            "fingerprint": self.fingerprint,
            "index": config.index.model_dump(include={"type", "nlist", "num_shards", "sample", "seed"}),
        }
        search_rules = config.index.model_dump(include={"nprobe", "candidates"})
        query = {"encoder": config.encoder.identity(), "query_tower": self.query_tower.model_dump()}
        self.id = digest({**self.inputs, **search_rules, **query})
        self.temporary: list[Path] = []

    def run(self) -> IndexVersion:
        counts = {r.name: count_vectors(self._vector_part(r)) for r in self.ranges}
        ranges = [r for r in self.ranges if counts[r.name]]
        if not ranges:
            raise StoreError("no vector parts for this selection and encoder; run pubray embed first")
        record = self._quantizer(ranges, counts)
        segments = self._segments(ranges, counts, record)
        nprobe = self.config.index.nprobe or nprobe_for(segments[0].nlist)
        current = read_current(self.layout)
        version = IndexVersion(
            id=self.id,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            parent=current.version if current else None,
            snapshot=self.snapshot,
            selection=self.selection,
            encoder=self.config.encoder,
            fingerprint=self.fingerprint,
            query_tower=self.query_tower,
            quantizer=record.sha256,
            metric=record.metric,
            nprobe=nprobe,
            candidates=self.config.index.candidates,
            segments=tuple(segments),
            articles=sum(s.rows for s in segments),
            recall=Recall(queries=0, at_10=0.0, at_100=0.0),
        )
        return self._checked(version)

    def _quantizer(self, ranges: list[RowRange], counts: dict[str, int]) -> QuantizerRecord:
        """Train the quantizer, or find the one that was trained from the same inputs."""
        config, dimension = self.config.index, self.config.encoder.dimension
        path = self.layout.quantizer_record(digest(self.inputs))
        if not Path(path).exists():
            nlist = config.nlist or nlist_for(sum(counts.values()))
            progress = Progress("train", min(config.sample, sum(counts.values())), "vectors")
            record: QuantizerRecord = ray.get(
                train.remote(
                    self.layout,
                    {self._vector_part(r): counts[r.name] for r in ranges},
                    config.type.format(dimension=dimension, nlist=nlist),
                    metric_for(normalize=self.config.encoder.normalize),
                    config.sample,
                    config.seed,
                )
            )
            write_bytes(path, record.model_dump_json(indent=1).encode())
            progress.add(record.trained_on)
            progress.finish()
        return read_document(path, QuantizerRecord, "quantizer record")

    def _segments(self, ranges: list[RowRange], counts: dict[str, int], record: QuantizerRecord) -> list[Segment]:
        """Build worker shards from groups of ranges, then merge them to one segment per shard."""
        config = self.config.index
        groups = _groups(ranges, counts, config.rows_per_worker, config.min_workers)
        names = [digest({**self.inputs, "quantizer": record.sha256, "ranges": [r.name for r in g]}) for g in groups]
        progress = Progress("build", sum(counts.values()), "vectors")
        tasks = [
            build_worker_shards.remote(self.config, self._sources(), group, record.sha256, name)
            for group, name in zip(groups, names, strict=True)
        ]
        for shards in finished(tasks):
            progress.add(sum(s.rows for s in shards))
        progress.finish()
        self.temporary = [Path(self.layout.worker_shard(name, 0)).parent for name in names]
        progress = Progress("merge", progress.done, "rows")
        segments = []
        merges = [
            merge_shard.remote(self.layout, record.sha256, f"{digest(self.inputs)}-{shard}", shard, names)
            for shard in range(config.num_shards)
        ]
        for segment in finished(merges):
            segments.append(segment)
            progress.add(segment.rows)
        progress.finish()
        return sorted(segments, key=lambda s: s.shard)

    def _checked(self, version: IndexVersion) -> IndexVersion:
        """Measure recall; refuse a version that is below the floor.

        Raises:
            StoreError: it is.
        """
        config = self.config
        progress = Progress("check", config.index.recall_queries, "queries")
        recall: Recall = ray.get(measure_recall.remote(config, self.layout, version))
        progress.add(recall.queries)
        progress.finish()
        if recall.at_10 < config.index.recall_floor:
            raise StoreError(
                f"version {version.id} finds {recall.at_10:.3f} of what an exact search finds, the floor is "
                f"{config.index.recall_floor}; raise index.nprobe or index.candidates"
            )
        return version.model_copy(update={"recall": recall})

    def _vector_part(self, rows: RowRange) -> str:
        return self.layout.vector_part(self.fingerprint, self.selection, rows.name)

    def _sources(self) -> VectorSource:
        return VectorSource(self.snapshot, self.fingerprint, self.selection, self.pmids)


def _groups(ranges: list[RowRange], counts: dict[str, int], rows: int, workers: int) -> list[list[RowRange]]:
    """Split ranges in order into groups: at most `rows` vectors each, and small enough to occupy all `workers`."""
    limit = min(rows, -(-sum(counts.values()) // workers))
    groups: list[list[RowRange]] = [[]]
    size = 0
    for part in ranges:
        if groups[-1] and size + counts[part.name] > limit:
            groups.append([])
            size = 0
        groups[-1].append(part)
        size += counts[part.name]
    return groups
