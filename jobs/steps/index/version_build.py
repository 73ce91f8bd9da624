"""One build of an index version: the steps that make it."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import ray

from jobs.common.cluster.joining import results
from jobs.common.store import remove
from jobs.steps.index.build_inputs import BuildInputs
from jobs.steps.index.build_tasks import build_worker_shards, bury, find_changes, find_wanted, merge, train
from jobs.steps.index.commit import merged, now
from jobs.steps.index.population import population_of
from jobs.steps.index.reservations import building, checking, merging, training
from retrieval.articles.snapshot import SnapshotDifference
from retrieval.embed.vector_parts import count_vectors, row_ranges
from retrieval.files.checked import read_document, write_bytes
from retrieval.index.segment import is_there, read_manifest
from retrieval.index.segment_build import Work, group_work
from retrieval.index.tuning import metric_for, nlist_for, nprobe_for, sample_for
from retrieval.ingest.lineage import gaps
from schemas.base import digest
from schemas.config import Config
from schemas.errors import CheckError, StoreError
from schemas.formats import NEWEST
from schemas.layout import Layout
from schemas.manifest import UNCHECKED, IndexVersion, Population, QuantizerRecord, Segment, Tombstones
from schemas.vector import EmbedPlan, RowRange

THREADS = 16
"""Vector parts that are asked for their counts at a time: their server may be far."""


class Build(BuildInputs):
    """One build: its inputs, and its steps."""

    def __init__(self, config: Config, *, full: bool) -> None:
        super().__init__(config, full=full)
        self._plan = EmbedPlan(self.snapshot.id, self.selection, self.fingerprint)
        self._made: list[str] = []
        self._vector_part = partial(Layout.vector_part, self.fingerprint, self.selection)

    def run(self) -> IndexVersion:
        """Return the version, which is not committed yet."""
        if (parent := self.parent) is None:
            return self._full()
        population = population_of(self.config, parent)
        alive = self.snapshot.info.counts.alive
        compare = find_changes.options(**checking(self.config, alive))
        task = compare.remote(self.store, parent.snapshot, self.snapshot.id)
        changes: SnapshotDifference
        [changes] = results([task], "compare", alive, "articles", lambda _: alive)
        tombstones: dict[str, Tombstones]
        placed = bury.options(**checking(self.config, parent.rows, parent.quantizer))
        tombstones, left = ray.get(placed.remote(self.store, parent, population, changes.outdated))
        deltas, new = self._segments(self._work_of(changes), parent.quantizer)
        return self._version(parent.quantizer, (*parent.segments, *deltas), tombstones, left + new)

    def clear(self) -> None:
        """Remove all worker shards, those of runs that were killed too: nobody else writes."""
        for shards in self.store.names(Layout.worker_shards.folder):
            remove(self.store, Layout.worker_shards(shards))

    def discard(self) -> None:
        """Remove all that was made for a version that is not what it should be, so that nothing finds it again."""
        self.clear()
        for segment in self._made:
            remove(self.store, Layout.segment(segment))

    def _full(self) -> IndexVersion:
        ranges = row_ranges(self.snapshot.info.parts, self.config.embed.rows_per_part)
        present = set(self.store.names(Layout.vector_parts(self.fingerprint, self.selection)))
        if missing := sum(f"{one.name}.parquet" not in present for one in ranges):
            raise StoreError(f"{missing} of {len(ranges)} vector parts are not there; run pubray embed first")
        with ThreadPoolExecutor(THREADS) as pool:
            work = [Work(one, None, count) for one, count in zip(ranges, pool.map(self._count, ranges), strict=True)]
        if not any(part.vectors for part in work):
            raise StoreError(f"none of the articles is selected by selection.rule = {self.config.selection.rule!r}")
        record = self._quantizer(work)
        segments, population = self._segments(work, record.sha256)
        return self._version(record.sha256, segments, {}, population)

    def _count(self, part: RowRange) -> int:
        with self.store.parquet(self._vector_part(part.name)) as file:
            return count_vectors(file)

    def _work_of(self, changes: SnapshotDifference) -> list[Work]:
        parts = self.snapshot.info.parts
        numbers = {part.name: number for number, part in enumerate(parts)}
        ranges = row_ranges(parts, self.config.embed.rows_per_part)
        changed = ((one, changes.within(numbers[one.source], one.start, one.stop)) for one in ranges)
        return [Work(one, rows, len(rows)) for one, rows in changed if len(rows)]

    def _quantizer(self, work: list[Work]) -> QuantizerRecord:
        """Train the quantizer, or find the one that was trained from the same inputs."""
        config, dimension = self.config.index, self.config.encoder.dimension
        key = Layout.quantizer_record(self.rows_digest)
        if self.store.facts(key) is not None:
            return read_document(self.store, key, QuantizerRecord, "quantizer record")
        counts = {self._vector_part(part.range.name): part.vectors for part in work if part.vectors}
        nlist = config.nlist or nlist_for(sum(counts.values()))
        size = min(config.sample or sample_for(nlist), sum(counts.values()))
        factory = config.type.format(dimension=dimension, nlist=nlist)
        reserved, threads = training(self.config, nlist, size)
        device = "cuda" if reserved["num_gpus"] else "cpu"
        task = train.options(**reserved).remote(self.config, counts, factory, size, device, threads)
        record: QuantizerRecord
        [record] = results([task], "train", size, "vectors", lambda record: record.trained_on)
        write_bytes(self.store, key, record.model_dump_json(indent=1).encode())
        return record

    def _segments(self, work: list[Work], quantizer: str) -> tuple[tuple[Segment, ...], Population]:
        """Build worker shards from groups of ranges, then merge them to one segment per shard that has rows.

        Returns them, and which articles they must hold.
        """
        config = self.config.index
        if not work:
            return (), Population()
        groups = group_work(work, config.rows_per_worker, config.min_workers)
        of = {"of": self.rows_digest, "quantizer": quantizer, "format": NEWEST}
        # The exact rows are in the names, so that no run goes on with the pieces of one that had other settings.
        names = [digest({**of, "work": [part.identity() for part in group]}) for group in groups]
        made = digest({**of, "work": [part.identity() for part in work]})
        self._made = [f"{made}-{shard}" for shard in range(config.num_shards)]
        rows = max(sum(part.vectors for part in group) for group in groups)
        reserved = building(self.config, quantizer, rows)
        wanted = [find_wanted.options(**reserved).remote(self.config, self._plan, group) for group in groups]
        if all(is_there(self.store, Layout.segment(segment)) for segment in self._made):
            # A run that was killed between merge and commit left them.
            there = (read_manifest(self.store, Layout.segment(segment)) for segment in self._made)
            segments = tuple(manifest for manifest in there if manifest.rows)
        else:
            segments = self._built(groups, names, quantizer, reserved)
        return segments, sum(ray.get(wanted), Population())

    def _built(
        self, groups: list[list[Work]], names: list[str], quantizer: str, reserved: dict[str, Any]
    ) -> tuple[Segment, ...]:
        tasks = [
            build_worker_shards.options(**reserved).remote(self.config, self._plan, group, quantizer, name)
            for group, name in zip(groups, names, strict=True)
        ]
        vectors = sum(part.vectors for group in groups for part in group)
        built = results(tasks, "build", vectors, "vectors", lambda shards: sum(s.rows for s in shards))
        sizes = [sum(shards[shard].rows for shards in built) for shard in range(len(self._made))]
        placed = merge.options(**merging(self.config, quantizer, max(sizes)))
        merges = [placed.remote(self.store, quantizer, s, shard, names) for shard, s in enumerate(self._made)]
        return merged("merge", sum(sizes), merges)

    def _version(
        self,
        quantizer: str,
        segments: tuple[Segment, ...],
        tombstones: dict[str, Tombstones],
        population: Population,
    ) -> IndexVersion:
        articles = sum(s.rows for s in segments) - sum(t.rows for t in tombstones.values())
        if not articles:
            raise CheckError("no article is alive and selected, so there is no version; CURRENT is what it was")
        info = self.snapshot.info
        return IndexVersion(
            id=self.id,
            created=now(),
            parent=self.on,
            recipe=self.recipe,
            rules=self.rules,
            snapshot=self.snapshot.id,
            selection=self.selection,
            encoder=self.config.encoder,
            fingerprint=self.fingerprint,
            query_tower=self.query_tower,
            quantizer=quantizer,
            metric=metric_for(normalize=self.config.encoder.normalize),
            nprobe=self.config.index.nprobe or nprobe_for(segments[0].nlist),
            candidates=self.config.index.candidates,
            segments=segments,
            tombstones=tombstones,
            articles=articles,
            missing_updates=len(gaps(info)),
            population=population,
            mesh_tree=info.mesh_tree,
            checks=UNCHECKED,
        )
