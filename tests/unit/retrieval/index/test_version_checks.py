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
    check_live,
    count_removed,
    dead_rows,
    imbalance,
)
from schemas.article import Article
from schemas.errors import StoreError
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
