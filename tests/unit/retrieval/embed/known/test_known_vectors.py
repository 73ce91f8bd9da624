"""Looking up vectors of an earlier snapshot."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.store.local_store import LocalStore
from retrieval.articles import snapshot_update
from retrieval.articles.article import article_batch
from retrieval.embed import vector_parts
from retrieval.embed.known.known_vectors import MIN_COSINE, EarlierVectors, Known, KnownCounts, agreement
from retrieval.embed.vector_parts import row_ranges, write_vector_part
from schemas.article import Article
from schemas.errors import IntegrityError
from schemas.layout import Layout
from schemas.report import Agreement
from tests.support.examples import examples
from tests.support.stores.store_files import add_part, add_snapshot


def test_counts_are_nothing_unless_they_are_given() -> None:
    known = Known(np.empty(0, np.intp), np.empty((0, 4), np.float16))
    assert known.counts == KnownCounts(verified=0, unverified=0, stale=0, missing=0)


def numbers(found: Agreement) -> tuple[float, ...]:
    return tuple(found.model_dump().values())


def test_equal_vectors_agree() -> None:
    vectors = np.random.default_rng(0).standard_normal((9, 16)).astype(np.float16)
    assert numbers(agreement(vectors, vectors)) == pytest.approx((9, 1, 1, 0, 0, 0))


def test_cosines_and_norms_are_told_apart() -> None:
    known = np.array([[2, 0], [0, 1], [1, 1], [-1, 0]])
    encoded = np.array([[1, 0], [0, 2], [1, 0], [1, 0]])
    found = agreement(known.astype(np.float16), encoded.astype(np.float32))
    cosines, norms = [1, 1, 0.5**0.5, -1], [1, 0.5, 2**0.5 - 1, 0]
    assert numbers(found) == pytest.approx((4, -1, np.median(cosines), 1, np.median(norms), 2))
    assert agreement(known, encoded, min_cosine=0.7).below == 1


@given(st.floats(0, 180))
def test_a_pair_is_below_when_its_angle_is_too_wide(degrees: float) -> None:
    angle = np.radians(degrees)
    below = agreement(np.array([[1.0, 0.0]]), np.array([[np.cos(angle), np.sin(angle)]])).below
    assert below == (np.cos(angle) < MIN_COSINE)


def test_rounding_to_float16_is_far_above_the_threshold() -> None:
    vectors = np.random.default_rng(1).standard_normal((100, 768)).astype(np.float32)
    assert agreement(vectors.astype(np.float16), vectors).min_cosine > 0.999999


def test_vectors_of_other_articles_are_below() -> None:
    rng = np.random.default_rng(2)
    assert agreement(rng.standard_normal((50, 768)), rng.standard_normal((50, 768))).below == 50


def test_a_zero_vector_agrees_with_another_only() -> None:
    zero, one = np.zeros((1, 3), np.float16), np.ones((1, 3), np.float16)
    assert numbers(agreement(zero, zero)) == (1, 1, 1, 0, 0, 0)
    assert numbers(agreement(zero, one))[1:] == (0, 0, 1, 1, 1)
    assert agreement(one, zero).below == 1


def test_large_float16_vectors_do_not_overflow() -> None:
    large = np.full((1, 768), 60_000, np.float16)
    assert agreement(large, large).min_cosine == pytest.approx(1)


def test_the_result_is_json() -> None:
    assert agreement(np.ones((1, 2)), np.ones((1, 2))).model_dump_json().startswith('{"pairs":1,')


ROWS_PER_PART = 5
DIMENSION = 2
Text = tuple[int, str]
"""A PMID and a title."""


def vector(article: Text) -> list[float]:
    """What an encoder made of it: no two alike."""
    return [article[0], sum(article[1].encode())]


def earlier(folder: Path, files: list[list[Text]], unselected: set[int]) -> EarlierVectors:
    """Write article parts, their snapshot and all of its vector parts."""
    store = LocalStore(str(folder))
    articles = [[Article(pmid, title=title) for pmid, title in texts] for texts in files]
    refs = [add_part(store, f"pubmed26n{number:04}", *texts) for number, texts in enumerate(articles, 1)]
    snapshot = add_snapshot(store, refs)
    for rows in row_ranges(refs, ROWS_PER_PART):
        texts = files[int(rows.source[-4:]) - 1][rows.start : rows.stop]
        with store.incoming(Layout.vector_part("f", "all", rows.name)) as path:
            write_vector_part(
                path,
                np.array([pmid for pmid, _ in texts], np.int64),
                article_batch([Article(p, title=t) for p, t in texts])["text_hash"].to_numpy(),
                np.array([vector(t) for t in texts], np.float16),
                np.array([pmid not in unselected for pmid, _ in texts]),
            )
    return EarlierVectors(
        store, snapshot.id, lambda rows: Layout.vector_part("f", "all", rows.name), ROWS_PER_PART, DIMENSION
    )


def asked(texts: list[Text]) -> pa.Table:
    batch = article_batch([Article(pmid, title=title) for pmid, title in texts])
    return pa.Table.from_batches([batch]).select(["pmid", "text_hash", "title", "abstract"])


pmids = st.integers(1, 30)
texts = st.tuples(pmids, st.sampled_from(["a", "b", "c"]))
files = st.lists(st.lists(texts, min_size=1, max_size=14), min_size=1, max_size=4)


@examples(6, whole=60)
@given(files, st.sets(pmids, max_size=5), st.lists(texts, min_size=1, max_size=20, unique_by=lambda text: text[0]))
def test_found_is_what_is_alive_with_the_same_text_and_has_a_vector(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[Text]], unselected: set[int], wanted: list[Text]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vector_parts, "VECTOR_ROW_GROUP", 2)
        patch.setattr(snapshot_update, "ROW_GROUP", 3)
        known = earlier(tmp_path_factory.mktemp("store"), files, unselected).find(asked(wanted))
    alive = {pmid: title for texts in files for pmid, title in texts}
    expected = [i for i, (pmid, title) in enumerate(wanted) if alive.get(pmid) == title and pmid not in unselected]
    assert known.rows.tolist() == expected
    assert known.vectors.tolist() == [vector(wanted[i]) for i in expected]
    assert known.counts == (len(expected), 0, 0, len(wanted) - len(expected))


def test_a_damaged_vector_part_is_refused_by_name(tmp_path: Path) -> None:
    known = earlier(tmp_path, [[(1, "a"), (2, "b")]], set())
    [path] = (tmp_path / "vectors").rglob("*.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(IntegrityError, match=str(path)):
        known.find(asked([(2, "b")]))
