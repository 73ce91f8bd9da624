"""The truth that a version inherits, against an exact search of its own."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.store.local_store import LocalStore
from retrieval.evaluate import truth as module
from retrieval.evaluate.truth import Truth, carry_truth, find_truth, read_truth, recall, sample_queries, write_truth
from retrieval.index.centroids.quantizer import Quantizer
from retrieval.index.segment import OpenSegment
from retrieval.search.segment_search import search_exactly
from schemas.arrays import Pmids
from schemas.errors import IntegrityError
from schemas.layout import Layout
from tests.support.examples import examples
from tests.support.stores import corpus

QUERIES = corpus.queries(3, 3)
ROWS = corpus.vectors(4, 60)
ROWS[20:30] = ROWS[19]  # equal scores
Segments = list[OpenSegment]


@pytest.fixture(scope="module")
def quantizer() -> Quantizer:
    return corpus.quantizer("IVF2,RaBitQ", ROWS)


def segment(folder: Path, quantizer: Quantizer, pmids: set[int]) -> OpenSegment:
    held = np.array(sorted(pmids), np.int64)
    return corpus.build(folder, quantizer, ROWS[held], held)


def without(segment: OpenSegment, folder: Path, quantizer: Quantizer, pmids: set[int]) -> OpenSegment:
    """The segment, with the rows of PMIDs dead."""
    [dead] = np.nonzero(np.isin(segment.pmids, list(pmids)))
    return corpus.opened(folder, segment.manifest, quantizer, dead)


def assert_exact(truth: Truth, segments: Segments) -> None:
    exact = search_exactly(QUERIES, segments, 60)
    for answer, best in zip(truth.answers(), exact, strict=True):
        count = len(answer.pmids)
        assert answer.pmids.tolist() == best.pmids[:count].tolist()
        assert answer.scores.tolist() == best.scores[:count].tolist()


numbers = st.sets(st.integers(0, 59), max_size=20)


@examples(6, whole=40)
@given(base=numbers, nights=st.lists(st.tuples(numbers, numbers), max_size=3), depth=st.integers(4, 12))
def test_after_any_nights_the_truth_is_that_of_an_exact_search(
    base: set[int],
    nights: list[tuple[set[int], set[int]]],
    depth: int,
    quantizer: Quantizer,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("truth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "DEPTH", depth)
        patch.setattr(module, "NEEDED", 3)
        held = {"base": segment(folder / "base", quantizer, base)}
        dead: dict[str, set[int]] = {"base": set()}
        segments: Segments = [*held.values()]
        truth = find_truth(QUERIES, segments)
        assert all(len(answer.pmids) == min(depth, len(base)) for answer in truth.answers())
        for number, (added, gone) in enumerate(nights):
            for name, pmids in dead.items():
                pmids |= (added | gone) & set(held[name].pmids.tolist())
            name = str(number)
            if added:
                held[name], dead[name] = segment(folder / name, quantizer, added), set()
            after = [without(held[name], folder / name, quantizer, dead[name]) for name in held]
            carried = carry_truth(truth, segments, after)
            if carried is None:
                assert len(added | gone) > 0
                carried = find_truth(QUERIES, after)
            live = sum(s.live_rows for s in after)
            assert all(len(answer.pmids) >= min(3, live) for answer in carried.answers())
            assert_exact(carried, after)
            segments, truth = after, carried


def test_revised_articles_cost_no_depth(quantizer: Quantizer, tmp_path: Path) -> None:
    base = segment(tmp_path / "base", quantizer, set(range(60)))
    truth = find_truth(QUERIES, [base])
    best = set(truth.answers()[0].pmids[:5].tolist())
    after = [without(base, tmp_path / "base", quantizer, best), segment(tmp_path / "delta", quantizer, best)]
    carried = carry_truth(truth, [base], after)
    assert carried
    assert carried.pmids.tolist() == truth.pmids.tolist()


def test_what_is_written_is_read_and_a_damaged_file_refused(quantizer: Quantizer, tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "store"))
    truth = find_truth(QUERIES, [segment(tmp_path / "base", quantizer, set(range(40)))])
    name = write_truth(store, truth)
    assert write_truth(store, truth) == name
    assert [array.tolist() for array in read_truth(store, name)] == [array.tolist() for array in truth]
    path = store.path(Layout.truth(name))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match=f"{path}: sha256 "):
        read_truth(store, name)


def test_titles_are_drawn_from_live_rows_of_all_segments_the_same_each_time(
    quantizer: Quantizer, tmp_path: Path
) -> None:
    large = segment(tmp_path / "l", quantizer, {*range(40)})
    small = segment(tmp_path / "s", quantizer, {*range(40, 60)})
    half = without(large, tmp_path / "l", quantizer, {*range(20)})
    titles = sample_queries([half, small], 10, seed=3)
    assert sorted(int(title.split()[1]) >= 40 for title in titles) == [False] * 5 + [True] * 5
    assert min(int(title.split()[1]) for title in titles) >= 20
    assert titles == sample_queries([half, small], 10, seed=3) != sample_queries([half, small], 10, seed=4)
    assert len(set(sample_queries([half, small], 1000, seed=3))) == 40


def test_without_titles_the_queries_are_the_beginnings_of_abstracts(tmp_path: Path, quantizer: Quantizer) -> None:
    records = corpus.articles(np.arange(60))
    for column, text in (("title", ""), ("abstract", "An abstract of an article. " * 20)):
        place = records.schema.get_field_index(column)
        records = records.set_column(place, records.schema.field(place), pa.array([text] * 60))
    made = corpus.build(tmp_path / "s", quantizer, ROWS, np.arange(60), records)
    for count in (5, 1):
        texts = sample_queries([made], count, seed=3)
        assert texts == [("An abstract of an article. " * 20)[:150]] * count


def test_of_many_segments_a_small_sample_has_a_query(tmp_path: Path, quantizer: Quantizer) -> None:
    segments = [segment(tmp_path / f"{i}", quantizer, {i}) for i in range(4)]
    assert len(sample_queries(segments, 1, seed=0)) == 1


def pmids(*rows: list[int]) -> list[Pmids]:
    return [np.array(row, np.int64) for row in rows]


def test_recall_is_the_mean_share_found_in_any_order() -> None:
    assert recall(pmids([1, 2, 3], [6, 5, 4]), pmids([3, 2, 9], [4, 5, 6]), 3) == pytest.approx((2 / 3 + 1) / 2)


def test_only_the_first_k_of_both_count() -> None:
    assert recall(pmids([9, 1]), pmids([1, 9]), 1) == 0
    assert recall(pmids([1, 9]), pmids([1, 2]), 1) == 1


def test_fewer_true_ones_than_k_are_all_there_are() -> None:
    assert recall(pmids([1, 2, 7]), pmids([1, 2]), 10) == 1
    assert recall(pmids([1]), pmids([1, 2]), 10) == 0.5


def test_as_many_answers_as_truths_are_needed() -> None:
    with pytest.raises(ValueError, match="zip"):
        recall(pmids([1]), pmids([1], [2]), 10)
