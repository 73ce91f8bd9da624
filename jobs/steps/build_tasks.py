"""The Ray tasks that make versions: differences, training, worker shards, merges, tombstones, checks."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import ray
from numpy.typing import NDArray

from actors.embed.towers import QueryTower
from actors.search.index_searcher import IndexSearcher, load_quantizer, open_segments
from jobs.common.cpu_threads import available_threads, using_threads
from retrieval.articles.selection import selected
from retrieval.articles.snapshot import alive_rows, read_snapshot
from retrieval.articles.snapshot_difference import SnapshotDifference, compare_snapshots
from retrieval.embed.sampling import sample_vectors
from retrieval.embed.vector_parts import read_vectors
from retrieval.evaluate.recall import recall
from retrieval.evaluate.truth import NEEDED, carry_truth, find_truth, read_truth, write_truth
from retrieval.files.atomic import write_bytes
from retrieval.index.live_rows import check_live, count_removed
from retrieval.index.quantizer import Quantizer
from retrieval.index.quantizer_training import train_quantizer
from retrieval.index.segment import OpenSegment, read_manifest, write_segment
from retrieval.index.segment_build import group_rows, merged_groups, merged_sizes, shard_of
from retrieval.index.size_rules import metric_for
from retrieval.index.tuning import SearchRules, cheapest_rules
from retrieval.rows.kept_columns import read_kept
from retrieval.rows.row_order import find_rows
from retrieval.rows.tombstones import write_tombstones
from retrieval.search.segment_search import search
from schemas.arrays import Floats, Pmids, Rows
from schemas.config import Config
from schemas.errors import StoreError
from schemas.layout import Layout
from schemas.manifest import IndexVersion, QuantizerRecord, Recall, Segment, Tombstones
from schemas.protocols import Query
from schemas.vector import RowRange


class VectorSource(NamedTuple):
    """Where a worker finds its vectors and articles, and which of them are wanted."""

    snapshot: str
    fingerprint: str
    selection: str
    pmids: NDArray[np.int64] | None


class Work(NamedTuple):
    """What a worker takes of one range."""

    range: RowRange
    rows: NDArray[np.int32] | None
    """Rows of the article part, in this range; None: all that are alive."""
    vectors: int
    """How many, at most."""


@ray.remote(num_cpus=1)
def find_changes(layout: Layout, old: str, new: str) -> SnapshotDifference:
    """Compare two snapshots. Memory: 50 bytes a key, of 8 million keys at most."""
    return compare_snapshots(*(read_snapshot(Path(layout.snapshot(snapshot))) for snapshot in (old, new)))


@ray.remote(num_cpus=1)
def train(config: Config, counts: dict[str, int], factory: str, size: int, device: str) -> QuantizerRecord:
    """Train the quantizer on a sample and store it, with all cores: nothing else of the job runs meanwhile.

    Memory: the sample in float16, 6.4 GB for 65,536 lists of 768, and 1.7 GB (see retrieval.index.kmeans).
    """
    metric, seed = metric_for(normalize=config.encoder.normalize), config.index.seed
    vectors = sample_vectors(counts, size, seed, dimension=config.encoder.dimension)
    with using_threads(available_threads()):
        content, record = train_quantizer(vectors, factory, metric=metric, seed=seed, device=device)
    write_bytes(Layout(config.store).quantizer(record.sha256), content)
    return record


@ray.remote(num_cpus=1)
def build_worker_shards(
    config: Config, source: VectorSource, work: list[Work], quantizer: str, name: str
) -> list[Segment]:
    """Build one worker's shards, one per shard of the index."""
    layout = Layout(config.store)
    folders = [layout.worker_shard(name, shard) for shard in range(config.index.num_shards)]
    if all(Path(folder).is_dir() for folder in folders):
        return [read_manifest(folder) for folder in folders]
    loaded = load_quantizer(layout, quantizer)
    pmids, rows, articles = _read_worker_rows(config, layout, source, work)
    shard = shard_of(pmids, config.index.num_shards)
    segments = []
    for s, folder in enumerate(folders):
        sizes, groups = group_rows(loaded, rows, pmids, articles, np.flatnonzero(shard == s))
        segments.append(write_segment(folder, groups, sizes, segment=f"{name}/{s}", shard=s, quantizer=loaded))
    return segments


@ray.remote(num_cpus=1)
def merge_worker_shards(layout: Layout, quantizer: str, segment: str, shard: int, workers: list[str]) -> Segment:
    """Merge what all workers built for one shard. Memory: one group of lists (see retrieval.index.segment_build)."""
    if Path(layout.segment(segment)).is_dir():
        return read_manifest(layout.segment(segment))
    loaded = load_quantizer(layout, quantizer)
    folders = [layout.worker_shard(name, shard) for name in workers]
    return _merge(layout, loaded, segment, shard, [OpenSegment(f, read_manifest(f), loaded) for f in folders])


@ray.remote(num_cpus=1)
def merge_segments(layout: Layout, version: IndexVersion, segment: str, shard: int) -> Segment:
    """Merge the live rows of a shard's segments into one. Memory: one group of lists, and a byte a row."""
    if Path(layout.segment(segment)).is_dir():
        return read_manifest(layout.segment(segment))
    quantizer = load_quantizer(layout, version.quantizer)
    segments = [s for s in open_segments(layout, version, quantizer) if s.manifest.shard == shard]
    return _merge(layout, quantizer, segment, shard, segments)


def _merge(layout: Layout, quantizer: Quantizer, segment: str, shard: int, parts: list[OpenSegment]) -> Segment:
    folder, sizes = layout.segment(segment), merged_sizes(parts)
    return write_segment(folder, merged_groups(parts), sizes, segment=segment, shard=shard, quantizer=quantizer)


@ray.remote(num_cpus=1)
def bury(layout: Layout, version: IndexVersion, outdated: Pmids) -> dict[str, Tombstones]:
    """Return the tombstones of a version's segments with those of outdated PMIDs added."""
    quantizer = load_quantizer(layout, version.quantizer)
    found = {}
    for segment in open_segments(layout, version, quantizer):
        dead = np.union1d(
            np.flatnonzero(~segment.live),
            find_rows(segment.pmids, segment.pmid_order, outdated),
        )
        if len(dead):
            found[segment.manifest.id] = write_tombstones(layout.tombstones, dead)
    return found


@ray.remote(num_cpus=1)
def write_answers(config: Config, layout: Layout, version: IndexVersion, parent: IndexVersion | None) -> str:
    """Store what an exact search of the version finds (see retrieval.evaluate.truth); return its name.

    Where segments of the parent go on, its truth does. Otherwise every row is read, for queries as users make them:
    titles, through the query tower.
    """
    quantizer = load_quantizer(layout, version.quantizer)
    segments = open_segments(layout, version, quantizer)
    builds_on = parent and version.segments[: len(parent.segments)] == parent.segments
    if parent and builds_on and parent.encoder == version.encoder:
        known = read_truth(layout.truth, parent.checks.truth)
        if carried := carry_truth(known, open_segments(layout, parent, quantizer), segments):
            return write_truth(layout.truth, carried)
    rng = np.random.default_rng(config.index.seed)
    titles = [t for s in segments for t in _sample_titles(s, config.index.recall_queries, rng, version)]
    tower = QueryTower(config.encoder, config.engine, threads=available_threads(), cache=Path(config.cache))
    queries = tower.vectors(tower.tokens([Query(title) for title in titles]))
    return write_truth(layout.truth, find_truth(queries, segments))


@ray.remote(num_cpus=1)
def measure_recall(layout: Layout, version: IndexVersion, truth: str) -> Recall:
    """Compare the version with exact search."""
    queries, answers = _answers(layout, truth)
    found = [c.pmids for c in IndexSearcher(layout, version).candidates(queries, NEEDED)]
    return Recall(queries=len(found), at_10=recall(found, answers, 10), at_100=recall(found, answers, 100))


@ray.remote(num_cpus=1)
def tune(config: Config, layout: Layout, version: IndexVersion, truth: str) -> SearchRules:
    """Return the cheapest rules that reach `index.target_recall`.

    Raises:
        StoreError: none do.
    """
    searcher = IndexSearcher(layout, version)
    queries, answers = _answers(layout, truth)

    def measured(rules: SearchRules) -> float:
        found = search(queries, searcher.segments, searcher.quantizer, nprobe=rules.nprobe, candidates=rules.candidates)
        return recall([c.pmids for c in found], answers, 10)

    return cheapest_rules(config.index.target_recall, searcher.quantizer.nlist, version.candidates, measured)


def _answers(layout: Layout, truth: str) -> tuple[Floats, list[Pmids]]:
    """Return queries, and the PMIDs that an exact search finds for each."""
    known = read_truth(layout.truth, truth)
    return known.queries, [answer.pmids for answer in known.answers()]


class RowChecks(NamedTuple):
    """What is known of a version's rows."""

    imbalance: float
    """Of its lists."""
    removed: int
    """Articles of its parent that it lacks."""


@ray.remote(num_cpus=1)
def check_rows(layout: Layout, version: IndexVersion, parent: IndexVersion | None) -> RowChecks:
    """Check a version's live rows against its snapshot, and count what it lacks of its parent.

    Raises:
        StoreError: a PMID is live twice, is not alive in the snapshot, or the count is another.
    """
    segments = _open(layout, version)
    check_live(version, segments, read_snapshot(Path(layout.snapshot(version.snapshot))))
    sizes: NDArray[np.float64] = np.sum([s.sizes for s in segments], axis=0, dtype=np.float64)
    imbalance = float(len(sizes) * (sizes**2).sum() / sizes.sum() ** 2)
    return RowChecks(imbalance, count_removed(_open(layout, parent), segments) if parent else 0)


def _open(layout: Layout, version: IndexVersion) -> list[OpenSegment]:
    return open_segments(layout, version, load_quantizer(layout, version.quantizer))


def _sample_titles(segment: OpenSegment, count: int, rng: np.random.Generator, version: IndexVersion) -> list[str]:
    """Return titles of random live rows of a segment, of all segments together about `count`."""
    share = round(count * segment.live_rows / version.articles)
    rows = rng.choice(np.flatnonzero(segment.live), min(share, segment.live_rows), replace=False)
    titles = segment.articles["title"].take(pa.array(np.sort(rows))).to_pylist()
    return [title for title in titles if title]


def _read_worker_rows(
    config: Config, layout: Layout, source: VectorSource, work: list[Work]
) -> tuple[Pmids, Rows, pa.Table]:
    """Read the live, selected articles of some ranges, with their vectors.

    Raises:
        StoreError: one of them has no vector.
    """
    rows = np.empty((sum(part.vectors for part in work), config.encoder.dimension), np.float16)
    pmids, articles, filled = [], [], 0
    for part, chosen, _ in work:
        part_pmids, vectors, present = read_vectors(layout.vector_part(source.fingerprint, source.selection, part.name))
        records = read_kept(layout.article_part(part.source), part.start, part.stop)
        if chosen is None:
            wanted = alive_rows(layout.snapshot(source.snapshot), part.source, part.start, part.stop)
        else:
            wanted = np.zeros(len(records), bool)
            wanted[chosen - part.start] = True
        wanted &= selected(config.selection, source.pmids, records)
        if missing := int((wanted & ~present).sum()):
            raise StoreError(
                f"{missing} articles of {part.name} have no vector; remove the vector part and embed again"
            )
        pmids.append(part_pmids[wanted])
        start, filled = filled, filled + int(wanted.sum())
        np.compress(wanted, vectors, axis=0, out=rows[start:filled])
        articles.append(records if wanted.all() else records.filter(pa.array(wanted)))
    return np.concatenate(pmids), rows[:filled], pa.concat_tables(articles).combine_chunks()
