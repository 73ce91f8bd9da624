"""Vectors of an earlier snapshot, for articles that have come again with the same text.

A record whose metadata changed, or a whole new baseline, costs a read of the old keys and of the row groups that hold
the old vectors, and no encoding.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retrieval.articles.pmids import find_among
from retrieval.articles.snapshot import read_snapshot
from retrieval.embed.known.known_vectors import Known, KnownCounts
from retrieval.embed.vector_parts import read_vector_rows, row_ranges
from retrieval.files.parquet import opened
from schemas.arrays import Pmids
from schemas.vector import RowRange

Places = tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.int32]]


class EarlierVectors:
    """The vectors of a snapshot whose every vector part is there (see `KnownVectors`).

    Memory: one row group of the snapshot (65,536 keys), and one of a vector part.
    """

    def __init__(self, snapshot: str, part_path: Callable[[RowRange], str], rows_per_part: int, dimension: int) -> None:
        """`snapshot` is a path; `part_path` says where the vector part of a range lies."""
        self._snapshot, self._part_path = snapshot, part_path
        self._rows_per_part, self._dimension = rows_per_part, dimension
        self._parts = read_snapshot(Path(snapshot)).info.parts
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
            path = self._part_path(self._ranges[self._parts[part].name, int(start)])
            values, present = read_vector_rows(path, rows[here] - start)
            vectors[positions[here]], found[positions[here]] = values, present
        [known] = np.nonzero(found)
        return Known(known, vectors[known], KnownCounts(verified=len(known), missing=len(articles) - len(known)))

    def _locate(self, pmids: Pmids, hashes: NDArray[np.uint64]) -> Places:
        """Return positions of the articles that the snapshot has with the same text, and their part and row there."""
        order = np.argsort(pmids)
        wanted = pmids[order]
        found: list[Places] = [(np.empty(0, np.intp), np.empty(0, np.int32), np.empty(0, np.int32))]
        with opened(self._snapshot) as file:
            for group in self._groups_within(file, wanted):
                keys = file.read_row_group(group, columns=["pmid", "text_hash"])
                hits, slots = find_among(wanted, keys["pmid"].to_numpy())
                same = hashes[order[slots]] == keys["text_hash"].to_numpy()[hits]
                if same.any():
                    places = file.read_row_group(group, columns=["part", "row"]).take(pa.array(hits[same]))
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
