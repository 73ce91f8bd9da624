"""The Ray tasks that make versions: differences, training, worker shards, merges, tombstones, checks.

What each reserves, and where it runs, is said where it is started: see `jobs.common.cluster.placement`.
"""

from functools import partial

import numpy as np
import ray

from actors.embed.towers import QueryTower
from actors.engine.cpu_threads import using_threads
from actors.search.index_searcher import IndexSearcher, load_quantizer, open_segments
from actors.store.stores import open_store
from retrieval.articles.pmids import population
from retrieval.articles.snapshot import SnapshotDifference, compare_snapshots, read_snapshot
from retrieval.embed.vector_parts import sample_vectors
from retrieval.evaluate.canaries import DEPTH, answer, change, live_in
from retrieval.evaluate.truth import (
    NEEDED,
    candidate_recall,
    carry_truth,
    find_truth,
    read_truth,
    sample_queries,
    write_truth,
)
from retrieval.files.checked import write_bytes
from retrieval.index.centroids.quantizer_training import train_quantizer
from retrieval.index.segment import OpenSegment, is_there, read_manifest, write_segment
from retrieval.index.segment_build import (
    Work,
    group_rows,
    merged_format,
    merged_groups,
    merged_sizes,
    read_worker_rows,
    shard_of,
    wanted_population,
)
from retrieval.index.tuning import SearchRules, cheapest_rules, metric_for
from retrieval.index.version_checks import RowChecks, check_live, count_removed, dead_rows, imbalance, live_population
from retrieval.rows.row_numbers import write_tombstones
from retrieval.search.segment_search import nearest
from schemas.arrays import Floats, Pmids
from schemas.canary import Canary, CanaryAnswer
from schemas.config import Config
from schemas.errors import StoreError
from schemas.layout import SEGMENT_MANIFEST, Layout
from schemas.manifest import IndexVersion, Population, QuantizerRecord, Recall, Segment, Tombstones
from schemas.protocols import Query
from schemas.store import Store
from schemas.vector import EmbedPlan


@ray.remote
def find_changes(store: Store, old: str, new: str) -> SnapshotDifference:
    """Compare two snapshots."""
    return compare_snapshots(store, *(read_snapshot(store, snapshot) for snapshot in (old, new)))


@ray.remote
def train(
    config: Config, counts: dict[str, int], factory: str, size: int, device: str, threads: int
) -> QuantizerRecord:
    """Train the quantizer on a sample and store it: nothing else of the job runs meanwhile."""
    metric, seed = metric_for(normalize=config.encoder.normalize), config.index.seed
    store = open_store(config)
    vectors = sample_vectors(store, counts, size, seed, dimension=config.encoder.dimension)
    with using_threads(threads):
        content, record = train_quantizer(vectors, factory, metric=metric, seed=seed, device=device)
    write_bytes(store, Layout.quantizer(record.sha256), content, again=True)
    return record


@ray.remote
def build_worker_shards(config: Config, plan: EmbedPlan, work: list[Work], quantizer: str, name: str) -> list[Segment]:
    """Build one worker's shards, one per shard of the index."""
    store = open_store(config)
    folders = [Layout.worker_shard(name, shard) for shard in range(config.index.num_shards)]
    if all(is_there(store, folder) for folder in folders):
        return [read_manifest(store, folder) for folder in folders]
    loaded = load_quantizer(store, quantizer)
    pmids, rows, articles = read_worker_rows(store, config, plan, work)
    shard = shard_of(pmids, config.index.num_shards)
    segments = []
    for s, folder in enumerate(folders):
        sizes, groups = group_rows(loaded, rows, pmids, articles, np.flatnonzero(shard == s))
        with store.incoming(folder, last=SEGMENT_MANIFEST) as path:
            segments.append(write_segment(path, groups, sizes, segment=f"{name}/{s}", shard=s, quantizer=loaded))
    return segments


@ray.remote
def merge(store: Store, quantizer: str, segment: str, shard: int, of: list[str] | IndexVersion) -> Segment:
    """Merge what the workers of these names built for a shard, or the live rows of a version's, into one segment."""
    folder = Layout.segment(segment)
    if is_there(store, folder):
        return read_manifest(store, folder)
    loaded = load_quantizer(store, quantizer)
    if isinstance(of, IndexVersion):
        parts = [part for part in open_segments(store, of, loaded) if part.manifest.shard == shard]
    else:
        built = [Layout.worker_shard(name, shard) for name in of]
        parts = [OpenSegment(store, part, read_manifest(store, part), loaded) for part in built]
    with store.incoming(folder, last=SEGMENT_MANIFEST) as path:
        return write_segment(
            path,
            merged_groups(parts),
            merged_sizes(parts),
            segment=segment,
            shard=shard,
            quantizer=loaded,
            format=merged_format(parts),
        )


@ray.remote
def bury(
    store: Store, version: IndexVersion, left: Population, outdated: Pmids
) -> tuple[dict[str, Tombstones], Population]:
    """Return the tombstones of a version's segments with those of outdated PMIDs added, and which articles are left.

    left: those that the version must hold.
    """
    segments, tombstones = _open(store, version), {}
    for segment in segments:
        rows = dead_rows(segment, outdated)
        left -= population(segment.pmids[rows[segment.live[rows]]])
        if len(rows):
            tombstones[segment.manifest.id] = write_tombstones(store, rows)
    return tombstones, left


@ray.remote
def find_wanted(config: Config, plan: EmbedPlan, work: list[Work]) -> Population:
    """Return which articles of some ranges must be in the index."""
    return wanted_population(open_store(config), config, plan, work)


@ray.remote
def find_live(store: Store, version: IndexVersion) -> Population:
    """Return which articles are live in a version."""
    return live_population(_open(store, version))


@ray.remote
def write_answers(
    config: Config, store: Store, version: IndexVersion, parent: IndexVersion | None, threads: int
) -> str:
    """Store what an exact search of the version finds (see retrieval.evaluate.truth); return its name.

    Where segments of the parent go on, its truth does. Otherwise every row is read, for queries as users make them:
    titles (see `sample_queries`), through the query tower.
    """
    quantizer = load_quantizer(store, version.quantizer)
    segments = open_segments(store, version, quantizer)
    builds_on = parent and version.segments[: len(parent.segments)] == parent.segments
    if parent and builds_on and parent.encoder == version.encoder:
        known = read_truth(store, parent.checks.truth)
        if carried := carry_truth(known, open_segments(store, parent, quantizer), segments):
            return write_truth(store, carried)
    texts = sample_queries(segments, config.index.recall_queries, config.index.seed)
    queries = QueryTower(config, threads).encode([Query(text) for text in texts])
    return write_truth(store, find_truth(queries, segments))


@ray.remote
def measure_recall(store: Store, version: IndexVersion, truth: str) -> Recall:
    """Compare the version with exact search."""
    queries, answers = _answers(store, truth)
    found = IndexSearcher(store, version, sparse=True).nearest_pmids(queries, NEEDED)
    at_10, at_100 = (candidate_recall(found, answers, k) for k in (10, 100))
    return Recall(queries=len(found), at_10=at_10, at_100=at_100)


@ray.remote
def tune(config: Config, store: Store, version: IndexVersion, truth: str) -> SearchRules:
    """Return the cheapest rules that reach `index.target_recall`.

    Raises:
        StoreError: none do.
    """
    searcher = IndexSearcher(store, version, sparse=True)
    queries, answers = _answers(store, truth)

    def measured(rules: SearchRules) -> float:
        found = nearest(
            queries, searcher.segments, searcher.quantizer, nprobe=rules.nprobe, candidates=rules.candidates
        )
        return candidate_recall([one.pmids for one in found], answers, 10)

    return cheapest_rules(config.index.target_recall, searcher.quantizer.nlist, version.candidates, measured)


@ray.remote
def ask_canaries(
    config: Config,
    store: Store,
    version: IndexVersion,
    parent: IndexVersion | None,
    canaries: tuple[Canary, ...],
    threads: int,
) -> tuple[tuple[CanaryAnswer, ...], float | None]:
    """Return what a version answers, and how much of it is another than its parent of the same encoder answered."""
    queries = QueryTower(config, threads).encode([Query(canary.text) for canary in canaries])
    searcher = IndexSearcher(store, version, sparse=True)
    found = searcher.candidates(queries, DEPTH)
    answers = tuple(answer(canary, one, searcher.segments) for canary, one in zip(canaries, found, strict=True))
    if parent is None or parent.encoder != version.encoder:
        return answers, None
    delta = version.segments[: len(parent.segments)] == parent.segments
    known = len(parent.segments) if delta else len(version.segments)  # of others it is not known what is new
    old, new = searcher.segments[:known], searcher.segments[known:]
    return answers, change(parent.checks.canaries, answers, partial(live_in, new), partial(live_in, old))


def _answers(store: Store, truth: str) -> tuple[Floats, list[Pmids]]:
    """Return queries, and the PMIDs that an exact search finds for each."""
    known = read_truth(store, truth)
    return known.queries, [answer.pmids for answer in known.answers()]


@ray.remote
def check_rows(store: Store, version: IndexVersion, parent: IndexVersion | None) -> RowChecks:
    """Check a version's live rows against its snapshot, and count what it lacks of its parent.

    Raises:
        RowsError: a PMID is live twice, is not alive in the snapshot, or is missing.
    """
    segments = _open(store, version)
    check_live(store, version, segments, read_snapshot(store, version.snapshot))
    return RowChecks(imbalance(segments), _removed(store, parent, version, segments) if parent else 0)


def _removed(store: Store, parent: IndexVersion, version: IndexVersion, segments: list[OpenSegment]) -> int:
    try:
        return count_removed(_open(store, parent), segments)
    except StoreError:  # its files are damaged, or of another format: then by its manifest
        return max(0, parent.articles - version.articles)


def _open(store: Store, version: IndexVersion) -> list[OpenSegment]:
    return open_segments(store, version, load_quantizer(store, version.quantizer))
