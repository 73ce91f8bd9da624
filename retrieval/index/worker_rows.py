"""What the workers of a build read: which ranges of rows each takes, and their vectors and articles."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retrieval.articles.selection import selected
from retrieval.articles.snapshot import alive_rows
from retrieval.embed.vector_parts import read_vectors
from retrieval.rows.records import read_kept
from schemas.arrays import Pmids, Rows
from schemas.config import Config
from schemas.errors import StoreError
from schemas.layout import Layout
from schemas.vector import RowRange


class VectorSource(NamedTuple):
    """Where a worker finds its vectors and articles, and which of them are wanted."""

    snapshot: str
    fingerprint: str
    selection: str
    pmids: NDArray[np.int64] | None


class Work(NamedTuple):
    """What a worker takes of one range."""

    range: RowRange
    rows: NDArray[np.int32] | None
    """Rows of the article part, in this range; None: all that are alive."""
    vectors: int
    """How many, at most."""


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


def read_worker_rows(config: Config, source: VectorSource, work: Sequence[Work]) -> tuple[Pmids, Rows, pa.Table]:
    """Read the PMIDs (n,), vectors (n, d) and records of the live, selected articles of some ranges.

    Memory: the vectors once, the records, and one range.

    Raises:
        StoreError: one of them has no vector.
    """
    layout, filled = Layout(config.store), 0
    rows = np.empty((sum(part.vectors for part in work), config.encoder.dimension), np.float16)
    pmids, articles = [], []
    for part, chosen, _ in work:
        part_pmids, vectors, present = read_vectors(layout.vector_part(source.fingerprint, source.selection, part.name))
        records = read_kept(layout.article_part(part.source), part.start, part.stop)
        if chosen is None:
            wanted = alive_rows(layout.snapshot(source.snapshot), part.source, part.start, part.stop)
        else:
            wanted = np.zeros(len(records), bool)
            wanted[chosen - part.start] = True
        wanted &= selected(config.selection, source.pmids, records)
        if missing := int((wanted & ~present).sum()):
            raise StoreError(
                f"{missing} articles of {part.name} have no vector; remove the vector part and embed again"
            )
        pmids.append(part_pmids[wanted])
        start, filled = filled, filled + int(wanted.sum())
        np.compress(wanted, vectors, axis=0, out=rows[start:filled])
        articles.append(records if wanted.all() else records.filter(pa.array(wanted)))
    return np.concatenate(pmids), rows[:filled], pa.concat_tables(articles).combine_chunks()
