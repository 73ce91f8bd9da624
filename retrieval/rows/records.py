"""What a segment keeps of an article: most fields of its article part, and the names of its authors; reading it."""

from collections.abc import Callable
from typing import Annotated, Any, get_origin, get_type_hints

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retrieval.files.parquet import read_range
from schemas.article import ARTICLE_SCHEMA, DisplayArticle
from schemas.base import Frozen
from schemas.formats import FORMATS, NEWEST

KEPT_COLUMNS = tuple(name for name in FORMATS[NEWEST].columns if name != "authors")
"""What is kept as the article part has it."""


def record_schema(format: int) -> pa.Schema:
    """Return the schema of the articles of a segment, one row each."""
    # Persons as NLM cites them, groups by their names: no affiliations, which are most of an author.
    authors = pa.field("authors", pa.list_(pa.string()), nullable=False)
    columns = FORMATS[format].columns
    return pa.schema([authors if name == "authors" else ARTICLE_SCHEMA.field(name) for name in columns])


NAME_PARTS = ("last_name", "initials", "suffix", "collective_name")
"""What is read of an author."""

KINDS = get_type_hints(DisplayArticle, include_extras=True)
SHOWN_OF_ITEMS: dict[str, str | type[Frozen]] = {
    field: kind.__metadata__[0] for field, kind in KINDS.items() if get_origin(kind) is Annotated
}
"""By list of structs, which field of each is shown, or what is made of them."""
ReadValue = Callable[[int], Any]


def read_kept(file: pq.ParquetFile, start: int, stop: int) -> pa.Table:
    """Read the rows [start, stop) of an open article part (see `read_range`) as a segment keeps them."""
    return kept_of(read_range(file, start, stop, [*KEPT_COLUMNS, *(f"authors.list.element.{p}" for p in NAME_PARTS)]))


def kept_of(articles: pa.Table) -> pa.Table:
    """Return articles as a segment of the newest format keeps them; of the authors `NAME_PARTS` are read."""
    names = author_names(articles["authors"].combine_chunks())
    field = record_schema(NEWEST).field("authors")
    return articles.select(KEPT_COLUMNS).append_column(field, names).select(FORMATS[NEWEST].columns)


def author_names(authors: pa.ListArray) -> pa.ListArray:
    """Return the names of authors: "Lovelace AK", "King ML Jr", or the name of a group as it is."""
    flat = authors.flatten()
    last, initials, suffix, group = (pc.struct_field(flat, part) for part in NAME_PARTS)
    last, group = last.fill_null(""), group.fill_null("")  # a join that skips nulls leaves out a row that has no other
    persons = pc.ascii_trim(pc.binary_join_element_wise(last, initials, suffix, " ", null_handling="skip"), " ")
    sizes = pc.list_value_length(authors).cast(pa.int32())
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(sizes)])
    return pa.ListArray.from_arrays(offsets, pc.if_else(pc.equal(group, ""), persons, group))


class DisplayReader:
    """Reads rows of a segment's articles: 15 µs each, where slicing a table of the same fields takes 50.

    A table that is taken from is concatenated first, all of it if there are texts. So single values are read, from the
    batches that their rows are in. It keeps a few objects per batch read; calls may come together.
    """

    def __init__(self, articles: pa.Table) -> None:
        """Take a table that has the fields of `DisplayArticle`; one that it lacks is read as None."""
        self._batches = articles.select([f for f in DisplayArticle._fields if f in articles.column_names]).to_batches()
        self._starts = np.cumsum([0, *(batch.num_rows for batch in self._batches)])
        self._readers: dict[int, list[ReadValue]] = {}

    def read(self, rows: NDArray[np.integer]) -> list[DisplayArticle]:
        """Return the articles of some rows, in their order."""
        batches = np.searchsorted(self._starts, rows, "right") - 1
        places = (rows - self._starts[batches]).tolist()
        return [
            DisplayArticle(*[value(place) for value in self._values(batch)])
            for batch, place in zip(batches.tolist(), places, strict=True)
        ]

    def _values(self, batch: int) -> list[ReadValue]:
        if batch not in self._readers:
            self._readers[batch] = [_reader(self._batches[batch], field) for field in DisplayArticle._fields]
        return self._readers[batch]


def _reader(batch: pa.RecordBatch, field: str) -> ReadValue:
    if field not in batch.schema.names:
        return lambda row: None
    column = batch[field]
    if not pa.types.is_list(column.type):
        return lambda row: column[row].as_py()
    shown = SHOWN_OF_ITEMS.get(field)
    items = pc.struct_field(column.values, shown) if isinstance(shown, str) else column.values
    offsets = column.offsets
    # Not by to_numpy(), which imports pandas: a second and more before a process gives its first answer.
    ends = memoryview(offsets.buffers()[1]).cast("i")[offsets.offset :][: len(offsets)]

    def read(row: int) -> tuple[Any, ...]:
        first, last = ends[row], ends[row + 1]
        if first == last:
            return ()
        found = items[first:last].to_pylist()
        return tuple(found if shown is None or isinstance(shown, str) else (shown(**item) for item in found))

    return read
