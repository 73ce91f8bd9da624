from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.articles import article_parts
from retrieval.articles.article import Rejects
from retrieval.articles.article_parts import read_article_part, write_article_part
from retrieval.files.parquet import read_range
from schemas.article import ARTICLE_SCHEMA
from schemas.errors import InputError
from tests.support.stores.made_parts import GROUP, ROWS, records


def test_an_article_part_holds_the_records_and_says_so_in_its_footer(tmp_path: Path) -> None:
    batch = records([3, 5, 2])
    rejects = Rejects({"no PMID": 2}, {"no PMID": ["record 7", "record 9"]})
    written = write_article_part(str(tmp_path / "pubmed20n0014.parquet"), [batch], 123, rejects)
    assert (written.ref.name, written.ref.rows, written.ref.deletions) == ("pubmed20n0014", 3, 1)
    assert (written.source_bytes, written.rejects) == (123, rejects)
    assert read_article_part(tmp_path / "pubmed20n0014.parquet") == written
    found = read_range(str(tmp_path / "pubmed20n0014.parquet"), 0, 3, ARTICLE_SCHEMA.names)
    assert found.equals(pa.Table.from_batches([batch]))
    assert found["doi"].to_pylist() == [None, None, "10.1/2"]


def test_rejects_are_those_known_when_the_last_batch_was_read(tmp_path: Path) -> None:
    rejects = Rejects()

    def batches() -> Iterator[pa.RecordBatch]:
        yield records([1])
        rejects.add("no PMID", "record 2")

    write_article_part(str(tmp_path / "a.parquet"), batches(), 1, rejects)
    assert read_article_part(tmp_path / "a.parquet").rejects.counts == {"no PMID": 1}


def test_a_source_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield records([1])
        raise InputError("a.xml breaks off")

    with pytest.raises(InputError, match="breaks off"):
        write_article_part(str(tmp_path / "a.parquet"), batches(), 1, Rejects())
    assert list(tmp_path.iterdir()) == []


def test_a_source_without_records_makes_a_part(tmp_path: Path) -> None:
    written = write_article_part(str(tmp_path / "a.parquet"), [], 1, Rejects())
    assert (written.ref.rows, written.ref.deletions) == (0, 0)
    assert read_article_part(tmp_path / "a.parquet") == written
    assert len(read_range(str(tmp_path / "a.parquet"), 0, 0, ["pmid"])) == 0


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(0, ROWS), max_size=6).map(sorted))
def test_batches_of_any_size_make_the_same_part(
    cuts: list[int], part: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("batches") / "part.parquet"
    whole = records(list(range(ROWS)))
    edges = [0, *cuts, ROWS]
    batches = [whole.slice(a, b - a) for a, b in pairwise(edges)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(article_parts, "ROW_GROUP", GROUP)
        written = write_article_part(str(path), batches, 1, Rejects())
    assert written == read_article_part(Path(part))
    metadata = pq.read_metadata(path)
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert sizes == [GROUP, GROUP, GROUP, ROWS - 3 * GROUP]
    assert read_range(str(path), 0, ROWS, ["pmid"])["pmid"].to_pylist() == list(range(ROWS))


@pytest.mark.parametrize("column", ["pmid", "deleted", "unusable", "record_hash"])
def test_the_digest_changes_with_a_record(column: str, tmp_path: Path) -> None:
    batch = records([1, 2])
    changed = {"pmid": [1, 4], "deleted": [True, False], "unusable": [False, True], "record_hash": [0, 9]}[column]
    position = batch.schema.get_field_index(column)
    other = batch.set_column(position, batch.schema.field(column), pa.array(changed, batch.schema.field(column).type))
    digests = {
        write_article_part(str(tmp_path / "a.parquet"), [b], 1, Rejects()).ref.digest for b in (batch, other, batch)
    }
    assert len(digests) == 2
