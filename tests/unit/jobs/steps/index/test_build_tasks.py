"""The bodies of the tasks, without Ray, over hand-made segments."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from actors.search.index_searcher import load_quantizer, open_segments
from actors.store.local_store import LocalStore
from jobs.steps.index import build_tasks
from retrieval.articles.pmids import population
from retrieval.evaluate.truth import find_truth, write_truth
from retrieval.files.checked import write_bytes
from retrieval.index.centroids.quantizer import Quantizer
from retrieval.index.centroids.quantizer_training import train_quantizer
from retrieval.index.segment_build import Work, shard_of
from retrieval.rows.row_numbers import read_tombstones, write_tombstones
from schemas.article import Article
from schemas.errors import RowsError, StoreError
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.vector import EmbedPlan, RowRange
from tests.support.stores import corpus
from tests.support.stores.hand_made_version import PMIDS, Piece, write_pieces, write_version
from tests.support.stores.parquet_files import range_at
from tests.support.stores.store_files import add_part, add_snapshot, add_vectors, config


def run(task: Any, *arguments: Any) -> Any:
    """Run the plain function of a Ray task."""
    return task._function(*arguments)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path))


def with_dead(store: LocalStore, version: IndexVersion, **rows: list[int]) -> IndexVersion:
    dead = {name: write_tombstones(store, np.array(numbers)) for name, numbers in rows.items()}
    return version.model_copy(update={"tombstones": dead, "articles": version.articles - sum(map(len, rows.values()))})


def with_quantizer(store: LocalStore) -> Quantizer:
    content, record = train_quantizer(corpus.vectors(0, 64), "IVF4,SQ8", metric="l2", seed=0)
    write_bytes(store, Layout.quantizer(record.sha256), content)
    return Quantizer(content)


def test_what_is_outdated_is_buried_beside_what_was(store: LocalStore) -> None:
    version = with_dead(store, write_version(store), s0=[3])
    first, second = open_segments(store, version, load_quantizer(store, version.quantizer))
    outdated = np.array([first.pmids[7], first.pmids[3], 10**6])
    found, left = run(build_tasks.bury, store, version, population(np.setdiff1d(PMIDS, first.pmids[[3]])), outdated)
    assert list(found) == ["s0"]
    assert left == population(np.setdiff1d(PMIDS, first.pmids[[3, 7]]))
    assert read_tombstones(store, found["s0"]).tolist() == [3, 7]
    found, left = run(build_tasks.bury, store, version, left, second.pmids[:2])
    assert left.articles == len(PMIDS) - 4
    assert {name: tombstones.rows for name, tombstones in found.items()} == {"s0": 1, "s1": 2}


def test_the_live_rows_of_a_shard_are_merged_once(store: LocalStore) -> None:
    version = with_dead(store, write_version(store), s0=[0, 1], s1=[5])
    merged = run(build_tasks.merge, store, version.quantizer, "m", 0, version)
    assert (merged.id, merged.rows, merged.shard) == ("m", 397, 0)
    written = store.path(Layout.segment("m")).stat().st_mtime_ns
    assert run(build_tasks.merge, store, version.quantizer, "m", 0, version) == merged
    assert store.path(Layout.segment("m")).stat().st_mtime_ns == written


def test_what_workers_built_for_a_shard_is_merged(store: LocalStore) -> None:
    quantizer = with_quantizer(store)
    rows, pmids = corpus.vectors(1, 40), np.arange(1, 41)
    for worker in range(2):
        folder = store.path(Layout.worker_shard(f"w{worker}", 1))
        corpus.build(folder, quantizer, rows[worker::2], pmids[worker::2])
    [sha256] = [file.stem for file in store.path(Layout.quantizer("x")).parent.iterdir()]
    merged = run(build_tasks.merge, store, sha256, "m", 1, ["w0", "w1"])
    assert (merged.id, merged.shard, merged.rows) == ("m", 1, 40)


def test_a_worker_builds_a_shard_for_each_of_the_index_and_none_twice(store: LocalStore) -> None:
    with_quantizer(store)
    [sha256] = [file.stem for file in store.path(Layout.quantizer("x")).parent.iterdir()]
    pmids = np.arange(1, 41)
    snapshot = add_snapshot(store, [add_part(store, "a", *map(Article, pmids.tolist()))])
    part = RowRange(source="a", start=0, stop=40, history="h")
    vectors = corpus.vectors(2, 40)
    key = Layout.vector_part("f", "all", part.name)
    hashes = range_at(store.path(Layout.article_part("a")), 0, 40, ["text_hash"])["text_hash"].to_numpy()
    add_vectors(store, key, pmids, hashes, vectors)
    encoder = config(Path()).encoder.model_copy(update={"dimension": corpus.DIMENSION})
    own = config(Path(store.root), encoder=encoder, index={"num_shards": 2}, selection={"rule": "all"})
    plan = EmbedPlan(snapshot.id, "all", "f")
    built = run(build_tasks.build_worker_shards, own, plan, [Work(part, None, 40)], sha256, "w")
    expected = np.bincount(shard_of(pmids, 2)).tolist()
    assert [(s.id, s.shard, s.rows) for s in built] == [("w/0", 0, expected[0]), ("w/1", 1, expected[1])]
    store.remove(key)  # is not read again
    assert run(build_tasks.build_worker_shards, own, plan, [Work(part, None, 40)], sha256, "w") == built


def test_a_quantizer_is_trained_on_vector_parts_and_stored(store: LocalStore) -> None:
    key, ids = Layout.vector_part("f", "all", "a"), np.arange(200)
    add_vectors(store, key, ids, ids.astype(np.uint64), corpus.vectors(3, 200))
    encoder = config(Path()).encoder.model_copy(update={"dimension": corpus.DIMENSION, "normalize": True})
    record = run(build_tasks.train, config(Path(store.root), encoder=encoder), {key: 200}, "IVF4,Flat", 150, "cpu", 1)
    assert (record.factory, record.metric, record.trained_on) == ("IVF4,Flat", "l2", 150)
    assert load_quantizer(store, record.sha256).nlist == 4


class Flat(NamedTuple):
    """A store with a version of 3,000 rows in 16 lists that keep all of a vector, and the truth for some queries."""

    store: LocalStore
    version: IndexVersion
    truth: str


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Flat:
    store = LocalStore(str(tmp_path_factory.mktemp("flat")))
    rows, pmids = corpus.vectors(5, 3000), np.arange(1, 3001)
    content, _ = train_quantizer(rows, "IVF16,Flat", metric="l2", seed=0)
    piece = Piece(rows, pmids, np.zeros(3000, bool), corpus.articles(pmids))
    version = write_pieces(store, content, [piece], nprobe=16, candidates=200)
    segments = open_segments(store, version, Quantizer(content))
    return Flat(store, version, write_truth(store, find_truth(corpus.queries(6, 20), segments)))


def test_recall_is_all_where_all_lists_are_searched_and_less_where_few_are(flat: Flat) -> None:
    store, version, truth = flat
    whole = run(build_tasks.measure_recall, store, version, truth)
    assert (whole.queries, whole.at_10, whole.at_100) == (20, 1, 1)
    few = run(build_tasks.measure_recall, store, version.model_copy(update={"nprobe": 1}), truth)
    assert few.at_100 < 1


def test_the_fewest_lists_that_reach_the_target_are_found(flat: Flat) -> None:
    store, version, truth = flat
    rules = [
        run(build_tasks.tune, config(Path(store.root), index={"target_recall": target}), store, version, truth)
        for target in (0.1, 1)
    ]
    assert rules[0].nprobe == 1 < rules[1].nprobe <= 16


def test_rows_are_checked_against_the_snapshot_and_the_parent(store: LocalStore) -> None:
    built = write_version(store)
    snapshot = add_snapshot(store, [add_part(store, "a", *(Article(int(pmid)) for pmid in PMIDS))])
    version = built.model_copy(update={"snapshot": snapshot.id, "population": population(PMIDS)})
    checks = run(build_tasks.check_rows, store, version, None)
    assert (checks.imbalance >= 1, checks.removed) == (True, 0)
    fewer = with_dead(store, version, s0=[1, 2])
    with pytest.raises(RowsError, match=f"has {len(PMIDS) - 2} articles, and not the {len(PMIDS)} that"):
        run(build_tasks.check_rows, store, fewer, version)
    fewer = fewer.model_copy(update={"population": run(build_tasks.find_live, store, fewer)})
    assert run(build_tasks.check_rows, store, fewer, version).removed == 2
    lacking = add_snapshot(store, [add_part(store, "b", *(Article(int(pmid)) for pmid in PMIDS[1:]))])
    with pytest.raises(StoreError, match=f"has PMID {PMIDS[0]}, which is not alive"):
        run(build_tasks.check_rows, store, built.model_copy(update={"snapshot": lacking.id}), None)


def test_two_snapshots_are_compared(store: LocalStore) -> None:
    parts = [add_part(store, "a", Article(1), Article(2)), add_part(store, "b", Article(2, title="new"), Article(3))]
    old = add_snapshot(store, parts[:1])
    new = add_snapshot(store, parts, old)
    changes = run(build_tasks.find_changes, store, old.id, new.id)
    assert (changes.parts.tolist(), changes.rows.tolist(), changes.outdated.tolist()) == ([1, 1], [0, 1], [2])


def test_the_truth_of_the_parent_goes_on_with_its_segments(flat: Flat) -> None:
    store, version, truth = flat
    parent = version.model_copy(update={"checks": version.checks.model_copy(update={"truth": truth})})
    # the encoder of the configuration is nowhere to be had: nothing is encoded
    assert run(build_tasks.write_answers, config(Path(store.root)), store, version, parent, 1) == truth
