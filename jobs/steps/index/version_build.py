"""One build of an index version: what it is made of, and the steps that make it."""

from functools import partial

import ray

from actors.fetch.stored_models import found_before, tower_digests
from actors.store.stores import open_store
from jobs.common.cluster.joining import most_of, results
from jobs.common.console import log
from jobs.common.store import (
    compacted_id,
    ingested,
    load_selection,
    read_current,
    read_version,
    remove,
    version_names,
    versions,
)
from jobs.steps.index.build_tasks import build_worker_shards, bury, find_changes, find_wanted, merge, train
from jobs.steps.index.commit import merged, now
from jobs.steps.index.population import population_of
from jobs.steps.index.version_files import check_bytes
from retrieval.articles.snapshot import SnapshotDifference
from retrieval.embed.vector_parts import count_vectors, row_ranges
from retrieval.files.checked import read_document, write_bytes
from retrieval.index.segment import is_there, read_manifest
from retrieval.index.segment_build import Work, group_work
from retrieval.index.tuning import metric_for, nlist_for, nprobe_for, sample_for
from retrieval.ingest.lineage import gaps
from schemas.base import digest
from schemas.config import Config
from schemas.encoder import article_fingerprint
from schemas.errors import CheckError, StoreError
from schemas.formats import FORMATS, NEWEST
from schemas.layout import Layout
from schemas.manifest import UNCHECKED, IndexVersion, Population, QuantizerRecord, Segment, Tombstones
from schemas.vector import EmbedPlan, RowRange


class Build:
    """One build: its inputs, all of which are in its id, and its steps."""

    def __init__(self, config: Config, *, full: bool) -> None:
        self.store = open_store(config)
        self.config = config = found_before(config, versions(self.store))
        self.snapshot = ingested(self.store)
        self.selection, self.pmids = load_selection(config.selection)
        self.query_tower = tower_digests(config.encoder.query, config)
        article_tower = tower_digests(config.encoder.article, config)
        self.fingerprint = article_fingerprint(config.encoder, article_tower)
        self.recipe = digest(
            {
                "selection": self.selection,
                "fingerprint": self.fingerprint,
                "index": config.index.model_dump(include={"type", "nlist", "num_shards", "sample", "seed"}),
                "segment": FORMATS[1]._asdict(),  # the first for ever: a segment says its own
            }
        )
        current = read_current(self.store)
        self._full_anew, self._on = full, current.version if current else None
        served = self._served(self._on) if self._on and not full else None
        self.parent = served if served and served.recipe == self.recipe else None
        rows = {"recipe": self.recipe, "snapshot": self.snapshot.id, "parent": self.parent.id if self.parent else None}
        # What is asked to be made anew shares no file with a version that is there, which may be damaged.
        self.rows_digest = digest(rows | ({"beside": version_names(self.store)} if full else {}))
        self.rules = digest(
            {
                "index": config.index.model_dump(
                    include={"nprobe", "candidates"} | ({"target_recall"} if config.index.target_recall else set())
                ),
                "encoder": config.encoder.identity(),
                "query_tower": self.query_tower.model_dump(),
                **({"mesh_tree": self.snapshot.info.mesh_tree} if self.snapshot.info.mesh_tree else {}),
            }
        )
        # What was CURRENT is in it: a version is promoted only over the one that it was built on.
        self.id = digest({"rows": self.rows_digest, "rules": self.rules, "on": self._on, "format": NEWEST})
        self._plan = EmbedPlan(self.snapshot.id, self.selection, self.pmids, self.fingerprint)
        self._made: list[str] = []
        self._vector_part = partial(Layout.vector_part, self.fingerprint, self.selection)

    def _served(self, version: str) -> IndexVersion:
        try:
            return read_version(self.store, version)
        except StoreError as error:
            raise type(error)(f"{error}; or build beside it with pubray index --full") from None

    def existing(self) -> IndexVersion | None:
        """Return the version that this build would make, or CURRENT if it is as fresh."""
        if self._full_anew:
            return next((v for v in reversed(versions(self.store)) if self._is_alike(v)), None)
        parent = self.parent
        if parent and (parent.snapshot, parent.rules) == (self.snapshot.id, self.rules):
            return parent
        return read_version(self.store, self.id) if self.id in version_names(self.store) else None

    def _is_alike(self, version: IndexVersion) -> bool:
        """Return whether a version is one that was built anew from what this build is made of, and is whole."""
        made = (version.parent, version.recipe, version.rules, version.snapshot)
        shards = {segment.shard for segment in version.segments}
        if made != (self._on, self.recipe, self.rules, self.snapshot.id):
            return False
        if self._on and version.id == compacted_id(self._on):
            return False
        if version.tombstones or len(shards) < len(version.segments):
            return False
        try:
            check_bytes(self.store, version)
        except StoreError as error:
            log(f"index     version {version.id} is built again: {error}")
            return False
        return True

    def run(self) -> IndexVersion:
        """Return the version, which is not committed yet."""
        if (parent := self.parent) is None:
            return self._full()
        population = population_of(self.config, parent)
        alive = self.snapshot.info.counts.alive
        task = find_changes.remote(self.store, parent.snapshot, self.snapshot.id)
        changes: SnapshotDifference
        [changes] = results([task], "compare", alive, "articles", lambda _: alive)
        tombstones: dict[str, Tombstones]
        tombstones, left = ray.get(bury.remote(self.store, parent, population, changes.outdated))
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
        work = [Work(one, None, self._count(one)) for one in ranges]
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
        share = min(1.0, self.config.embed.num_gpus, most_of("GPU"))
        task = train.options(num_gpus=share).remote(self.config, counts, factory, size, "cuda" if share else "cpu")
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
        wanted = [find_wanted.remote(self.config, self._plan, group) for group in groups]
        if all(is_there(self.store, Layout.segment(segment)) for segment in self._made):
            # A run that was killed between merge and commit left them.
            there = (read_manifest(self.store, Layout.segment(segment)) for segment in self._made)
            segments = tuple(manifest for manifest in there if manifest.rows)
        else:
            segments = self._built(groups, names, quantizer)
        return segments, sum(ray.get(wanted), Population())

    def _built(self, groups: list[list[Work]], names: list[str], quantizer: str) -> tuple[Segment, ...]:
        tasks = [
            build_worker_shards.remote(self.config, self._plan, group, quantizer, name)
            for group, name in zip(groups, names, strict=True)
        ]
        vectors = sum(part.vectors for group in groups for part in group)
        built = results(tasks, "build", vectors, "vectors", lambda shards: sum(s.rows for s in shards))
        merges = [
            merge.remote(self.store, quantizer, segment, shard, names) for shard, segment in enumerate(self._made)
        ]
        return merged("merge", sum(s.rows for shards in built for s in shards), merges)

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
            parent=self._on,
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
