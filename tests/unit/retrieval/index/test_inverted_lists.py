"""The first stage of a search, of one segment."""

from pathlib import Path

import numpy as np
import pytest

from retrieval.index.centroids.quantizer import Probes, Quantizer
from retrieval.index.inverted_lists import ScannedLists, open_lists
from retrieval.index.segment import OpenSegment
from retrieval.rows.row_numbers import RowSet
from schemas.arrays import Floats, Lists
from schemas.layout import LISTS
from tests.support.stores import corpus

COUNT = 300
TYPES = [("IVF8,Flat", "l2"), ("IVF8,SQ8", "inner_product"), ("IVF8,RaBitQ", "l2"), ("IVF8,RaBitQ4", "inner_product")]
"""FAISS prunes rows of the last by an estimate of their distance."""


@pytest.fixture(scope="module", params=TYPES, ids=str)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, OpenSegment]:
    """One segment of COUNT rows, of each kind of lists."""
    factory, metric = request.param
    rows = corpus.vectors(0, COUNT, normalize=metric == "l2")
    path = tmp_path_factory.mktemp("scan") / "s"
    return path, corpus.build(path, corpus.quantizer(factory, rows, metric), rows, np.arange(COUNT))


@pytest.fixture(scope="module")
def segment(folder: tuple[Path, OpenSegment]) -> OpenSegment:
    return folder[1]


@pytest.fixture(scope="module")
def plain() -> Quantizer:
    return corpus.quantizer("IVF8,Flat", corpus.vectors(0, 400))


def probed(segment: OpenSegment) -> Probes:
    return segment._quantizer.probe(corpus.queries(1, 5), 4)


def in_order(scan: tuple[Floats, Lists]) -> list[list[tuple[float, int]]]:
    """The distances and rows of each query, equally far ones by their numbers."""
    return [
        sorted((far, row) for far, row in zip(distances, rows, strict=True) if row >= 0)
        for distances, rows in zip(scan[0].tolist(), scan[1].tolist(), strict=True)
    ]


def test_lists_are_scanned_as_they_lie_in_their_file(folder: tuple[Path, OpenSegment]) -> None:
    path, segment = folder
    lists = open_lists(path / LISTS)
    assert [lists.list_size(number) for number in range(8)] == segment.sizes.tolist()
    scanned = ScannedLists(lists, segment.sizes, segment._quantizer)
    everything = RowSet(np.ones(COUNT, bool))
    found = in_order(scanned.scan(probed(segment), COUNT, everything))
    assert found == in_order(segment.scanned.scan(probed(segment), COUNT, segment.alive))
    assert [len(one) for one in found] == segment.sizes[probed(segment).lists].sum(axis=1).tolist()


@pytest.mark.parametrize("count", [0, 1, 150, 260, 280, COUNT])
@pytest.mark.parametrize("nearest_first", [True, False])
def test_a_scan_finds_the_best_of_the_wanted_rows_alone(count: int, nearest_first: bool, segment: OpenSegment) -> None:
    """Whether FAISS is told which (up to 269 of 300) or is asked for more, the unwanted being far or the nearest."""
    everything = segment.scanned.scan(probed(segment), COUNT, segment.alive)
    nearest = [row for _, row in in_order(everything)[0]]
    order = [*nearest, *sorted({*range(COUNT)} - {*nearest})]
    mask = np.zeros(COUNT, bool)
    mask[order[:count] if nearest_first else order[COUNT - count :]] = True
    found = in_order(segment.scanned.scan(probed(segment), 20, RowSet(mask)))
    for got, one in zip(found, in_order(everything), strict=True):
        best = [(far, row) for far, row in one if mask[row]]
        assert got[:20] == best[:20]
        assert got == best[: len(got)]


def test_however_few_rows_are_asked_for_they_are_the_best_of_all(segment: OpenSegment) -> None:
    """FAISS leaves out rows that an estimate puts beyond the worst that is found so far."""
    probes = segment._quantizer.probe(corpus.queries(0, 60), 8)
    everything = in_order(segment.scanned.scan(probes, COUNT, segment.alive))
    for count in (1, 2, 5):
        found = in_order(segment.scanned.scan(probes, count, segment.alive))
        assert [one[:count] for one in found] == [one[:count] for one in everything]


def test_a_scan_returns_all_equals_of_the_last_wanted(plain: Quantizer, tmp_path: Path) -> None:
    rows = corpus.vectors(5, COUNT)
    rows[50:120] = rows[0]
    segment = corpus.build(tmp_path / "s", plain, rows, np.arange(COUNT))
    distances, found = segment.scanned.scan(plain.probe(rows[:1].astype(np.float32), 8), 10, segment.alive)
    equals = segment.pmids[found[0][distances[0] == distances[0, 9]]]
    assert sorted(equals.tolist()) == [0, *range(50, 120)]


def test_a_scan_for_more_than_there_is_says_what_is_missing(plain: Quantizer, tmp_path: Path) -> None:
    segment = corpus.build(tmp_path / "s", plain, corpus.vectors(6, 9), np.arange(9))
    _, found = segment.scanned.scan(plain.probe(corpus.queries(1, 2), 8), 20, segment.alive)
    for row in found:
        assert sorted(row[row >= 0].tolist()) == list(range(9))
