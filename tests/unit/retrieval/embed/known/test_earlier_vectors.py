"""Looking up vectors of an earlier snapshot."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.articles import snapshot_update
from retrieval.articles.article import Rejects, article_batch
from retrieval.articles.article_parts import write_article_part
from retrieval.articles.snapshot_update import SnapshotPlan, write_snapshot
from retrieval.embed import vector_parts
from retrieval.embed.known.earlier_vectors import EarlierVectors
from retrieval.embed.vector_parts import row_ranges, write_vector_part
from schemas.article import Article
from schemas.errors import IntegrityError
from schemas.layout import Layout
from schemas.snapshot import Lineage
from tests.support.examples import examples

ROWS_PER_PART = 5
DIMENSION = 2
Text = tuple[int, str]
"""A PMID and a title."""


def vector(article: Text) -> list[float]:
    """What an encoder made of it: no two alike."""
    return [article[0], sum(article[1].encode())]


def store(folder: Path, files: list[list[Text]], unselected: set[int]) -> EarlierVectors:
    """Write article parts, their snapshot and all of its vector parts."""
    layout = Layout(str(folder))
    refs = []
    for number, texts in enumerate(files, 1):
        batch = article_batch([Article(pmid, title=title) for pmid, title in texts])
        refs.append(write_article_part(layout.article_part(f"pubmed26n{number:04}"), [batch], 1, Rejects()).ref)
    write_snapshot(
        layout.snapshot("s"), SnapshotPlan(Lineage(number=0), tuple(refs), None), layout.article_part, lambda _: None
    )
    for rows in row_ranges(refs, ROWS_PER_PART):
        texts = files[int(rows.source[-4:]) - 1][rows.start : rows.stop]
        write_vector_part(
            layout.vector_part("f", "all", rows.name),
            np.array([pmid for pmid, _ in texts], np.int64),
            article_batch([Article(p, title=t) for p, t in texts])["text_hash"].to_numpy(),
            np.array([vector(t) for t in texts], np.float16),
            np.array([pmid not in unselected for pmid, _ in texts]),
        )
    return EarlierVectors(
        layout.snapshot("s"), lambda rows: layout.vector_part("f", "all", rows.name), ROWS_PER_PART, DIMENSION
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
        known = store(tmp_path_factory.mktemp("store"), files, unselected).find(asked(wanted))
    alive = {pmid: title for texts in files for pmid, title in texts}
    expected = [i for i, (pmid, title) in enumerate(wanted) if alive.get(pmid) == title and pmid not in unselected]
    assert known.rows.tolist() == expected
    assert known.vectors.tolist() == [vector(wanted[i]) for i in expected]
    assert known.counts == (len(expected), 0, 0, len(wanted) - len(expected))


def test_a_damaged_vector_part_is_refused_by_name(tmp_path: Path) -> None:
    earlier = store(tmp_path, [[(1, "a"), (2, "b")]], set())
    [path] = (tmp_path / "vectors").rglob("*.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(IntegrityError, match=str(path)):
        earlier.find(asked([(2, "b")]))
