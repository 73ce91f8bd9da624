"""Vectors that exist already: what need not be encoded, where it is found in an earlier snapshot, whether it agrees."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retrieval.articles.pmids import find_among
from retrieval.articles.snapshot import open_keys, read_snapshot
from retrieval.embed.vector_parts import read_vector_rows, row_ranges
from retrieval.files.parquet import read_groups
from schemas.arrays import Pmids, Rows
from schemas.report import Agreement
from schemas.store import Store
from schemas.vector import RowRange

MIN_COSINE = 0.99
"""Other precisions and engines stay above it, other weights or another text do not."""
Places = tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.int32]]


class KnownCounts(NamedTuple):
    """What became of the articles asked for; the four add up to their number."""

    verified: int = 0
    """Have a vector, and it is that of their text."""
    unverified: int = 0
    """Have a vector, and there is nothing to compare their text with."""
    stale: int = 0
    """Have a vector, but of another text, so it is not given."""
    missing: int = 0
    """Have none."""


class Known(NamedTuple):
    """Vectors that need no encoding, of some articles of a range."""

    rows: NDArray[np.intp]  # positions among the articles asked for, ascending
    vectors: Rows  # (len(rows), dimension)
    counts: KnownCounts = KnownCounts()


def agreement(known: NDArray[np.floating], encoded: NDArray[np.floating], min_cosine: float = MIN_COSINE) -> Agreement:
    """Compare vectors (n, d) with others of the same articles, n > 0. A zero vector agrees with none but another."""
    a, b = known.astype(np.float64), encoded.astype(np.float64)
    norms_a, norms_b = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    smallest = np.finfo(np.float64).tiny
    cosines = np.einsum("nd,nd->n", a, b) / np.maximum(norms_a * norms_b, smallest)
    cosines[(norms_a == 0) & (norms_b == 0)] = 1.0
    differences = np.abs(norms_a - norms_b) / np.maximum(norms_b, smallest)
    return Agreement(
        pairs=len(cosines),
        min_cosine=float(cosines.min()),
        median_cosine=float(np.median(cosines)),
        max_norm_difference=float(differences.max()),
        median_norm_difference=float(np.median(differences)),
        below=int((cosines < min_cosine).sum()),
    )


class EarlierVectors:
    """The vectors of a snapshot whose every vector part is there.

    A record whose metadata changed, or a whole new baseline, costs a read of the old keys and of the row groups that
    hold the old vectors, and no encoding. Memory: one row group of the snapshot (65,536 keys), one of a vector part.
    """

    def __init__(
        self,
        store: Store,
        snapshot: str,
        part_key: Callable[[RowRange], str],
        rows_per_part: int,
        dimension: int,
    ) -> None:
        """`snapshot` is its id; `part_key` says the key of the vector part of a range."""
        self._store, self._snapshot, self._part_key = store, snapshot, part_key
        self._rows_per_part, self._dimension = rows_per_part, dimension
        self._parts = read_snapshot(store, snapshot).info.parts
        self._ranges = {(r.source, r.start): r for r in row_ranges(self._parts, rows_per_part)}

    def find(self, articles: pa.Table) -> Known:
        """Return the vectors of the articles that had the same PMID and text then."""
        pmids, hashes = (articles[name].to_numpy() for name in ("pmid", "text_hash"))
        positions, parts, rows = self._locate(pmids, hashes)
        vectors = np.zeros((len(articles), self._dimension), np.float16)
        found = np.zeros(len(articles), bool)
        starts = rows - rows % self._rows_per_part
        for part, start in np.unique(np.stack([parts, starts], axis=1), axis=0):
            here = np.flatnonzero((parts == part) & (starts == start))
            with self._store.parquet(self._part_key(self._ranges[self._parts[part].name, int(start)])) as file:
                values, present = read_vector_rows(file, rows[here] - start)
            vectors[positions[here]], found[positions[here]] = values, present
        [known] = np.nonzero(found)
        return Known(known, vectors[known], KnownCounts(verified=len(known), missing=len(articles) - len(known)))

    def _locate(self, pmids: Pmids, hashes: NDArray[np.uint64]) -> Places:
        """Return positions of the articles that the snapshot has with the same text, and their part and row there."""
        order = np.argsort(pmids)
        wanted = pmids[order]
        found: list[Places] = [(np.empty(0, np.intp), np.empty(0, np.int32), np.empty(0, np.int32))]
        with open_keys(self._store, self._snapshot) as file:
            for group in self._groups_within(file, wanted):
                keys = read_groups(file, [group], ["pmid", "text_hash"])
                hits, slots = find_among(wanted, keys["pmid"].to_numpy())
                same = hashes[order[slots]] == keys["text_hash"].to_numpy()[hits]
                if same.any():
                    places = read_groups(file, [group], ["part", "row"]).take(pa.array(hits[same]))
                    found.append((order[slots[same]], places["part"].to_numpy(), places["row"].to_numpy()))
        positions, parts, rows = (np.concatenate(column) for column in zip(*found, strict=True))
        return positions, parts, rows

    @staticmethod
    def _groups_within(file: pq.ParquetFile, wanted: Pmids) -> list[int]:
        """Return the row groups that may hold one of the PMIDs, sorted, by the smallest and the largest of each."""
        column = file.schema_arrow.get_field_index("pmid")
        bounds = [file.metadata.row_group(i).column(column).statistics for i in range(file.num_row_groups)]
        lows, highs = ([getattr(b, name) for b in bounds] for name in ("min", "max"))
        overlap = np.searchsorted(wanted, highs, "right") > np.searchsorted(wanted, lows, "left")
        return np.flatnonzero(overlap).tolist()
