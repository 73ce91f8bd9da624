"""Checks of a version's live rows, against sets of PMIDs."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.store.local_store import LocalStore
from retrieval.articles import pmids as pmids_module
from retrieval.articles.pmids import population
from retrieval.index.centroids.quantizer import Quantizer
from retrieval.index.segment import OpenSegment
from retrieval.index.version_checks import (
    advice,
    check_live,
    count_removed,
    dead_rows,
    due_compaction,
    imbalance,
)
from schemas.article import Article
from schemas.config import IndexConfig
from schemas.errors import StoreError
from schemas.manifest import IndexVersion, Segment, Tombstones
from tests.support.examples import examples
from tests.support.service.seams import VERSION
from tests.support.stores import corpus
from tests.support.stores.store_files import add_part, add_snapshot


@pytest.fixture(scope="module")
def quantizer() -> Quantizer:
    return corpus.quantizer("IVF2,RaBitQ", corpus.vectors(0, 32))


def segment(folder: Path, quantizer: Quantizer, pmids: list[int], dead: set[int] | None = None) -> OpenSegment:
    """A segment of PMIDs, of which some are dead."""
    built = corpus.build(folder, quantizer, corpus.vectors(1, len(pmids)), np.array(pmids, np.int64))
    [rows] = np.nonzero(np.isin(built.pmids, list(dead or set())))
    return corpus.opened(folder, built.manifest, quantizer, rows)


def check(folder: Path, segments: list[OpenSegment], alive: list[int], expected: list[int]) -> None:
    store = LocalStore(str(folder / "store"))
    snapshot = add_snapshot(store, [add_part(store, "a", *map(Article, alive))])
    wanted = population(np.array(expected, np.int64))
    check_live(store, VERSION.model_copy(update={"articles": len(expected), "population": wanted}), segments, snapshot)


def test_rows_that_are_live_once_and_alive_pass(quantizer: Quantizer, tmp_path: Path) -> None:
    base = segment(tmp_path / "base", quantizer, [1, 2, 3, 4], dead={2, 4})
    check(tmp_path, [base, segment(tmp_path / "delta", quantizer, [2, 5])], [1, 2, 3, 5, 6], [1, 2, 3, 5])


@pytest.mark.parametrize("class_rows", [1, 100])
@pytest.mark.parametrize(
    ("dead", "alive", "expected", "words"),
    [
        (set(), [1, 2, 3], [1, 2, 3], "has PMID 2 twice"),
        ({2}, [1, 2], [1, 2, 3], "has PMID 3, which is not alive"),
        ({2}, [1, 2, 3, 4], [1, 2, 3, 4], "has 3 articles, and not the 4 that are alive and selected"),
        ({2}, [1, 2, 3, 4], [1, 2, 4], "has 3 articles, and not the 3 that"),
    ],
)
def test_what_is_wrong_is_named(
    dead: set[int],
    alive: list[int],
    expected: list[int],
    words: str,
    class_rows: int,
    quantizer: Quantizer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pmids_module, "CLASS_ROWS", class_rows)
    base = segment(tmp_path / "base", quantizer, [1, 2], dead)
    delta = segment(tmp_path / "delta", quantizer, [2, 3])
    with pytest.raises(StoreError, match=words):
        check(tmp_path, [base, delta], alive, expected)


pmids = st.sets(st.integers(1, 30), max_size=12)


@examples(5, whole=30)
@given(shared=pmids, old=pmids, new=pmids, dead=st.tuples(pmids, pmids), class_rows=st.integers(1, 40))
def test_removed_articles_are_counted_as_sets(
    shared: set[int],
    old: set[int],
    new: set[int],
    dead: tuple[set[int], set[int]],
    class_rows: int,
    quantizer: Quantizer,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("removed")
    old, new = old - (shared - dead[0]), new - (shared - dead[1])  # a PMID is live once

    base = segment(folder / "shared", quantizer, sorted(shared))

    def version(own: set[int], dead: set[int], name: str) -> list[OpenSegment]:
        [rows] = np.nonzero(np.isin(base.pmids, list(dead)))
        buried = corpus.opened(folder / "shared", base.manifest, quantizer, rows)
        return [buried, segment(folder / name, quantizer, sorted(own))]

    before, after = version(old, dead[0], "old"), version(new, dead[1], "new")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pmids_module, "CLASS_ROWS", class_rows)
        assert count_removed(before, after) == len(((shared - dead[0]) | old) - ((shared - dead[1]) | new))


def test_what_is_outdated_dies_with_what_is_dead(quantizer: Quantizer, tmp_path: Path) -> None:
    of = segment(tmp_path / "s", quantizer, [5, 6, 7, 8], {6})
    dead = dead_rows(of, np.array([6, 8, 99], np.int64))
    assert set(of.pmids[dead].tolist()) == {6, 8}
    assert len(dead_rows(segment(tmp_path / "t", quantizer, [5]), np.array([99], np.int64))) == 0


def test_the_imbalance_is_that_of_all_segments_together(quantizer: Quantizer, tmp_path: Path) -> None:
    segments = [segment(tmp_path / str(i), quantizer, list(range(10 * i, 10 * i + 9))) for i in range(2)]
    sizes = np.sum([s.sizes for s in segments], axis=0)
    assert imbalance(segments) == pytest.approx(2 * sum(n * n for n in sizes.tolist()) / 18**2)


def version(imbalance: float = 1, recall: float = 0.97, quantizer: str = "q1") -> IndexVersion:
    checks = VERSION.checks.model_copy(
        update={"imbalance": imbalance, "recall": VERSION.checks.recall.model_copy(update={"at_10": recall})}
    )
    return VERSION.model_copy(update={"checks": checks, "quantizer": quantizer})


FIRST = version(2.0, 0.97)


@pytest.mark.parametrize("later", [FIRST, version(2.5, 0.97), version(1.0, 0.955), version(9, 0.5, quantizer="q2")])
def test_lists_that_fit_are_kept(later: IndexVersion) -> None:
    assert advice(later, [version(1.0, 0.99, "q0"), FIRST, later]) is None


def test_training_anew_is_proposed_where_the_lists_fit_worse_than_when_they_were_trained() -> None:
    found = [advice(later, [FIRST, version(3.1), later]) for later in (version(3.0), version(2.0, 0.94))]
    assert [text and text.partition(": ")[2] for text in found] == [
        "since training the imbalance of the lists grew by 50%, and recall@10 fell by 0.000",
        "since training the imbalance of the lists grew by 0%, and recall@10 fell by 0.030",
    ]


def merged_of(*shards: int, dead: int = 0) -> IndexVersion:
    """A version with a segment of 10 rows for each shard named; the first has dead rows."""
    segments = tuple(
        Segment(id=f"s{i}", shard=shard, rows=10, dimension=1, nlist=1, code_size=1, files={})
        for i, shard in enumerate(shards)
    )
    return VERSION.model_copy(update={"segments": segments, "tombstones": {"s0": Tombstones(sha256="", rows=dead)}})


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (merged_of(0, 1), None),
        (merged_of(0, 1, 0, 1, dead=4), None),
        (merged_of(0, 1, 0, 1, 1), "2 deltas, more than index.max_deltas = 1"),
        (merged_of(0, 1, dead=3), "15.0% dead rows, more than index.max_dead = 10.0%"),
    ],
)
def test_compaction_is_due_beyond_a_limit(version: IndexVersion, reason: str | None) -> None:
    assert due_compaction(version, IndexConfig(max_deltas=1, max_dead=0.1)) == reason
