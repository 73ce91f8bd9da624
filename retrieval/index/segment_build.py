"""Building segments: what a worker reads and makes of it, and what a merge makes of other segments."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retrieval.articles.pmids import mixed, population, read_selection, selected
from retrieval.articles.snapshot import Snapshot, alive_rows, check_part, open_keys, read_snapshot
from retrieval.embed.vector_parts import have_keys, read_vectors
from retrieval.files.parquet import read_range
from retrieval.index.centroids.quantizer import Quantizer
from retrieval.index.exact import BLOCK, widened
from retrieval.index.segment import OpenSegment, RowGroup
from retrieval.rows.records import read_kept
from schemas.arrays import Codes, Lists, Mask, Pmids, Rows
from schemas.config import Config
from schemas.errors import IntegrityError, StoreError
from schemas.formats import FORMATS
from schemas.layout import Layout
from schemas.manifest import Population
from schemas.store import Store
from schemas.vector import EmbedPlan, RowRange

GROUP_ROWS = 65_536
"""Rows that a merge holds at a time, or one list where that is longer."""


class Work(NamedTuple):
    """What a worker takes of one range."""

    range: RowRange
    rows: NDArray[np.int32] | None
    """Rows of the article part, in this range; None: all that are alive."""
    vectors: int
    """How many, at most."""

    def identity(self) -> list[str | None]:
        """What tells it from other work of the same build."""
        return [self.range.name, None if self.rows is None else hashlib.sha256(self.rows.tobytes()).hexdigest()]


def group_work(work: Sequence[Work], rows: int, workers: int) -> list[list[Work]]:
    """Split work in order into groups: at most `rows` vectors each, and small enough to occupy all `workers`."""
    limit = min(rows, -(-sum(part.vectors for part in work) // workers))
    groups: list[list[Work]] = [[]]
    size = 0
    for part in work:
        if groups[-1] and size + part.vectors > limit:
            groups.append([])
            size = 0
        groups[-1].append(part)
        size += part.vectors
    return groups


def read_worker_rows(
    store: Store, config: Config, plan: EmbedPlan, work: Sequence[Work]
) -> tuple[Pmids, Rows, pa.Table]:
    """Read the PMIDs (n,), vectors (n, d) and records of the live, selected articles of some ranges.

    Memory: the vectors once, the records, and one range.

    Raises:
        StoreError: one of them has no vector.
    """
    snapshot, listed, filled = read_snapshot(store, plan.snapshot), read_selection(store, plan.selection), 0
    rows = np.empty((sum(part.vectors for part in work), config.encoder.dimension), np.float16)
    pmids, articles = [], []
    for part, chosen, _ in work:
        key = Layout.vector_part(plan.fingerprint, plan.selection, part.name)
        records = _of_range(store, snapshot, part, lambda file, one: read_kept(file, one.start, one.stop))
        wanted = _alive(store, snapshot, part, chosen) & selected(config.selection, listed, records)
        with store.parquet(key) as file:
            part_pmids, vectors, present = read_vectors(file)
            same = have_keys(file, records)
        if not same:
            name = store.name(key)
            raise IntegrityError(
                f"{name}: of other records than the article part; remove it and run pubray embed again"
            )
        if missing := int((wanted & ~present).sum()):
            raise StoreError(
                f"{missing} articles of {part.name} have no vector; remove the vector part and embed again"
            )
        pmids.append(part_pmids[wanted])
        start, filled = filled, filled + int(wanted.sum())
        np.compress(wanted, vectors, axis=0, out=rows[start:filled])
        articles.append(records if wanted.all() else records.filter(pa.array(wanted)))
    return np.concatenate(pmids), rows[:filled], pa.concat_tables(articles).combine_chunks()


def wanted_population(store: Store, config: Config, plan: EmbedPlan, work: Sequence[Work]) -> Population:
    """Return which articles of some ranges must be in the index, by their article parts alone. Memory: one range."""
    snapshot, listed = read_snapshot(store, plan.snapshot), read_selection(store, plan.selection)
    total, columns = Population(), ["pmid", "abstract"]
    for part, chosen, _ in work:
        articles = _of_range(store, snapshot, part, lambda file, one: read_range(file, one.start, one.stop, columns))
        wanted = _alive(store, snapshot, part, chosen) & selected(config.selection, listed, articles)
        total += population(articles["pmid"].to_numpy()[wanted])
    return total


def _of_range(
    store: Store, snapshot: Snapshot, part: RowRange, read: Callable[[pq.ParquetFile, RowRange], pa.Table]
) -> pa.Table:
    """Read something of a range of the article part that the snapshot names."""
    key = Layout.article_part(part.source)
    with store.parquet(key) as file:
        check_part(snapshot, part.source, file, store.name(key))
        return read(file, part)


def _alive(store: Store, snapshot: Snapshot, part: RowRange, chosen: NDArray[np.int32] | None) -> Mask:
    """Return which rows of a range are alive: all such, or the `chosen` ones, which are."""
    if chosen is None:
        with open_keys(store, snapshot.id) as file:
            return alive_rows(file, snapshot.number(part.source), part.start, part.stop)
    wanted = np.zeros(part.stop - part.start, bool)
    wanted[chosen - part.start] = True
    return wanted


def shard_of(pmids: Pmids, num_shards: int) -> Lists:
    """Return the shard (n,) of each PMID, by its mixed bits."""
    return (mixed(pmids) % np.uint64(num_shards)).astype(np.int64)


def group_rows(
    quantizer: Quantizer, rows: Rows, pmids: Pmids, articles: pa.Table, chosen: Lists | None = None
) -> tuple[Lists, Iterator[RowGroup]]:
    """Put rows into their lists and encode them: all of them, or those at the positions `chosen`.

    Returns the rows per list (nlist,), and the rows in (list, pmid) order. Memory beside what is handed in: the codes,
    32 bytes a row, and the articles of one group; of its vectors, one block. The articles are to be in one chunk: of
    several, Arrow makes one for every group anew.
    """
    chosen = np.arange(len(rows)) if chosen is None else chosen
    lists = np.empty(len(chosen), np.int64)
    codes = np.empty((len(chosen), quantizer.code_size), np.uint8)
    for start in range(0, len(chosen), BLOCK):
        block = slice(start, start + BLOCK)
        rotated = quantizer.rotate(widened(rows[chosen[block]]))
        lists[block] = quantizer.assign(rotated)
        codes[block] = quantizer.encode(rotated, lists[block])
    order = np.lexsort((pmids[chosen], lists))
    sizes = np.bincount(lists, minlength=quantizer.nlist)
    return sizes, _ordered_groups(codes, rows, pmids, articles, chosen, order, sizes)


def _ordered_groups(
    codes: Codes, rows: Rows, pmids: Pmids, articles: pa.Table, chosen: Lists, order: Lists, sizes: Lists
) -> Iterator[RowGroup]:
    ends = np.concatenate([[0], np.cumsum(sizes)])
    for first, last in _runs(sizes):
        part = order[ends[first] : ends[last]]
        place = chosen[part]
        blocks = (rows[place[start : start + BLOCK]] for start in range(0, len(place), BLOCK))
        yield RowGroup(codes[part], blocks, pmids[place], articles.take(pa.array(place)), sizes[first:last])


def merged_sizes(segments: Sequence[OpenSegment]) -> Lists:
    """Return the live rows per list (nlist,) of a merge."""
    lists = (np.repeat(np.arange(len(s.sizes)), s.sizes)[s.live] for s in segments)  # of one at a time
    return np.sum([np.bincount(of_one, minlength=len(segments[0].sizes)) for of_one in lists], axis=0)


def merged_format(segments: Sequence[OpenSegment]) -> int:
    """Return the format of a merge, the lowest of its parts: what others have beside is not known of their articles."""
    return min(segment.manifest.format for segment in segments)


def merged_groups(segments: Sequence[OpenSegment]) -> Iterator[RowGroup]:
    """Merge the live rows of segments list by list; inside a list rows are in order of PMID.

    Memory: one group of `GROUP_ROWS` rows, whatever the sizes of the segments.
    """
    kept = FORMATS[merged_format(segments)].columns
    sizes = np.stack([s.sizes for s in segments])  # (segments, nlist)
    starts = np.concatenate([np.zeros((len(segments), 1), np.int64), np.cumsum(sizes, axis=1)], axis=1)
    for first, last in _runs(sizes.sum(axis=0)):
        parts = [
            _live_part(segment, first, size[first:last], slice(start[first], start[last]))
            for segment, size, start in zip(segments, sizes, starts, strict=True)
        ]
        *columns, rows, articles = zip(*parts, strict=True)
        lists, codes, pmids = (np.concatenate(column) for column in columns)
        order = np.lexsort((pmids, lists))
        yield RowGroup(
            codes[order],
            [_in_order(rows, order)],
            pmids[order],
            pa.concat_tables(table.select(kept) for table in articles).take(pa.array(order)),
            np.bincount(lists - first, minlength=last - first),
        )


def _live_part(
    segment: OpenSegment, first: int, sizes: Lists, rows: slice
) -> tuple[Lists, Codes, Pmids, Rows, pa.Table]:
    """Return the live rows of the lists from `first` on of one segment."""
    [live] = np.nonzero(segment.live[rows])
    lists = np.repeat(np.arange(first, first + len(sizes)), sizes)
    vectors, articles = segment.rows[rows], segment.articles.slice(rows.start, rows.stop - rows.start)
    if len(live) < len(lists):
        vectors, articles = vectors[live], articles.take(pa.array(live))
    codes, pmids = segment.codes(first, first + len(sizes)), segment.pmids[rows]
    return lists[live], codes[live], pmids[live], vectors, articles


def _in_order(parts: Sequence[Rows], order: Lists) -> Rows:
    """Return np.concatenate(parts)[order] with one copy."""
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    rows = np.empty((len(order), parts[0].shape[1]), np.float16)
    for part, into in zip(parts, np.split(place, np.cumsum([len(part) for part in parts])[:-1]), strict=True):
        rows[into] = part
    return rows


def _runs(sizes: Lists) -> Iterator[tuple[int, int]]:
    """Yield ranges of lists [first, last) of at most `GROUP_ROWS` rows, or of one longer list."""
    first, rows = 0, 0
    for number, size in enumerate(sizes.tolist()):
        if rows and rows + size > GROUP_ROWS:
            yield first, number
            first, rows = number, 0
        rows += size
    yield first, len(sizes)
