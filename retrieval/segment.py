"""Segments on disk: written as a stream of rows in (list, pmid) order, opened by memory map.

A worker shard is a segment over one worker's rows, and a merge writes a segment from segments. Row r of every file
describes the same article; r is its FAISS id.

    lists.faiss      FAISS inverted lists: codes and row numbers, list by list
    rows.f16         float16 (rows, dimension)
    pmids.i64        int64 (rows,)
    pmid_order.u32   uint32 (rows,): the rows in order of PMID
    titles.i64, title_order.u32, dois.i64, doi_order.u32   finding titles and DOIs (see retrieval.named_rows)
    articles.arrow   Arrow IPC, the article records (see retrieval.records)
    years.i16, terms.arrow, postings.u32   what filters look at (see retrieval.facets)
    segment.json     counts and digests; written last
"""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import faiss
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retrieval.display import DisplayReader
from retrieval.facets import Facets, FacetWriter
from retrieval.named_rows import NamedRows, NameWriter
from retrieval.quantizer import Codes, Floats, Lists, Probes, Quantizer
from retrieval.records import RECORD_SCHEMA
from retrieval.row_order import write_order
from retrieval.rowset import RowSet
from retrieval.storage import advise_random, atomic_path, check_file, file_digest, map_file, read_document
from retrieval.topk import Pmids, Rows
from schemas.errors import IntegrityError
from schemas.layout import ARTICLES, LISTS, PMID_ORDER, PMIDS, ROWS, SEGMENT_FILES, SEGMENT_MANIFEST
from schemas.manifest import Segment

CONTENTS = {"files": SEGMENT_FILES, "columns": tuple(RECORD_SCHEMA.names)}
"""What a segment holds: segments that differ in it are not searched together."""

SELECTED_BELOW = 0.9
"""Share of a segment's rows: where fewer are wanted, FAISS asks which, else it is asked for more rows than needed."""


class RowGroup(NamedTuple):
    """Consecutive rows of a segment, in (list, pmid) order; never part of a list."""

    codes: Codes
    rows: Rows
    pmids: Pmids
    articles: pa.Table
    sizes: Lists
    """Rows per list, for the lists of this group; they add up to the rows."""


def write_segment(
    folder: str, groups: Iterable[RowGroup], sizes: Lists, *, segment: str, shard: int, quantizer: Quantizer
) -> Segment:
    """Write the groups, which together cover all lists in order, as one segment; return its manifest.

    A folder that is there already holds the same, and is left as it is.

    `sizes` are the rows per list (nlist,). Memory: one group, 100 MB for the order of the PMIDs, and what `FacetWriter`
    and `NameWriter` say.
    """
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        with (
            (temporary / LISTS).open("wb") as lists,
            (temporary / ROWS).open("wb") as rows,
            (temporary / PMIDS).open("wb") as pmids,
            pa.OSFile(str(temporary / ARTICLES), "wb") as articles,
            pa.ipc.new_file(articles, RECORD_SCHEMA) as records,
        ):
            lists.write(_lists_header(sizes, quantizer.code_size))
            facets, names, first = FacetWriter(temporary), NameWriter(temporary), 0
            for group in groups:
                for codes, ids in _split(group, first):
                    lists.write(np.ascontiguousarray(codes).data)
                    lists.write(ids.data)
                rows.write(np.ascontiguousarray(group.rows).data)
                pmids.write(np.ascontiguousarray(group.pmids).data)
                table = group.articles.select(RECORD_SCHEMA.names).cast(RECORD_SCHEMA)
                records.write_table(table)
                facets.add(table)
                names.add(table)
                first += len(group.pmids)
        facets.finish()
        write_order(temporary / PMIDS, temporary / PMID_ORDER)
        names.finish()
        manifest = Segment(
            id=segment,
            shard=shard,
            rows=first,
            dimension=quantizer.dimension,
            nlist=len(sizes),
            code_size=quantizer.code_size,
            files={n: file_digest(temporary / n) for n in SEGMENT_FILES},
        )
        (temporary / SEGMENT_MANIFEST).write_text(manifest.model_dump_json(indent=1))
    return manifest


def read_manifest(folder: str) -> Segment:
    """Return the manifest of the segment in a folder."""
    return read_document(f"{folder}/{SEGMENT_MANIFEST}", Segment, f"segment {folder}")


def _lists_header(sizes: Lists, code_size: int) -> bytes:
    """Return the head of FAISS's `ilar` section (faiss/impl/index_write.cpp, write_InvertedLists)."""
    nlist = np.uint64(len(sizes)).tobytes()
    return b"ilar" + nlist + np.uint64(code_size).tobytes() + b"full" + nlist + sizes.astype(np.uint64).tobytes()


def _split(group: RowGroup, first: int) -> Iterable[tuple[NDArray[np.uint8], Lists]]:
    """Yield the codes and row numbers of each list of a group whose first row is `first`."""
    ends = np.cumsum(group.sizes)
    for start, end in zip(ends - group.sizes, ends, strict=True):
        if end > start:
            yield group.codes[start:end], np.arange(first + start, first + end)


SLACK = 16
"""Rows fetched beyond twice the unwanted ones that are expected, so that few scans must be repeated."""


class OpenSegment:
    """A mapped segment. Opening costs milliseconds and a byte a row; the page cache holds what is read."""

    def __init__(
        self, folder: str, manifest: Segment, quantizer: Quantizer, dead: NDArray[np.int64] | None = None
    ) -> None:
        """Map the files after a look at their sizes and first bytes. Rows that are `dead` are never found.

        Raises:
            IntegrityError: a file is missing, truncated, or not the one that the manifest names.
        """
        root = Path(folder)
        if missing := sorted({*SEGMENT_FILES} - {*manifest.files}):
            raise IntegrityError(f"{folder}: written without {missing[0]}, by an earlier pubray; index again")
        for name, digest in manifest.files.items():
            check_file(root / name, digest)
        self.manifest = manifest
        self._ivf = quantizer.open_lists(root / LISTS, manifest.rows)
        self._is_l2, self._prunes = quantizer.is_l2, quantizer.prunes
        shape = (manifest.rows, manifest.dimension)
        self.rows: Rows = map_file(root / ROWS, np.float16).reshape(shape)
        self.pmids: Pmids = map_file(root / PMIDS, np.int64)
        self.pmid_order: NDArray[np.uint32] = map_file(root / PMID_ORDER, np.uint32)
        self.articles = pa.ipc.open_file(pa.memory_map(str(root / ARTICLES))).read_all()
        self.facets = Facets(root, manifest.rows)
        self.names = NamedRows(root, self.articles)
        self.live = np.ones(manifest.rows, bool)
        self.live[dead if dead is not None else []] = False
        self.live_rows = int(self.live.sum())

    def expect_searches(self) -> None:
        """Tell the kernel that rows are read here and there, so that it reads no others with them."""
        advise_random(self.rows)

    @cached_property
    def alive(self) -> RowSet:
        """All live rows."""
        return RowSet(self.live)

    @cached_property
    def display(self) -> DisplayReader:
        """What answers show of its articles."""
        return DisplayReader(self.articles)

    @cached_property
    def sizes(self) -> Lists:
        """Rows per list (nlist,), dead ones too."""
        lists = self._ivf.invlists
        return np.array([lists.list_size(i) for i in range(self.manifest.nlist)], np.int64)

    def codes(self, first_list: int, sizes: Lists) -> Codes:
        """Return the codes of consecutive lists."""
        lists, code_size = self._ivf.invlists, self.manifest.code_size
        parts = [
            faiss.rev_swig_ptr(lists.get_codes(first_list + i), int(size) * code_size)
            for i, size in enumerate(sizes)
            if size
        ]
        return np.concatenate([np.empty(0, np.uint8), *parts]).reshape(-1, code_size)

    def scan(self, probes: Probes, count: int, wanted: RowSet) -> tuple[Floats, Lists]:
        """Return at least the (q, count) best first-stage distances and wanted rows of the probed lists, best first.

        Smaller is better for every metric. Rows that are missing are -1, their distance is infinite. Of equal distances
        FAISS keeps which it likes, and where most rows are wanted it is not told which. So it is asked for more until
        there are `count` wanted ones, and all that are as far as the last of them. Where it prunes by an estimate, it
        is asked for all at once.
        """
        if not wanted.count:
            return np.empty((len(probes.lists), 0), np.float32), np.empty((len(probes.lists), 0), np.int64)
        selector = wanted.selector if wanted.count < SELECTED_BELOW * wanted.size else None
        dropped = 0 if selector else (wanted.size - wanted.count) * count // wanted.size
        fetched = count + 1 + (2 * dropped + SLACK if dropped else 0)
        if self._prunes:
            fetched = max(fetched, int(self.sizes[probes.lists].sum(axis=1).max()) + 1)
        while True:
            distances, rows = self._scan(probes, fetched, selector)
            exhausted, last = rows[:, -1] < 0, distances[:, -1].copy()
            distances, rows = _without_others(distances, rows, wanted)
            if (exhausted | (last > distances[:, count - 1])).all():
                kept = int((distances <= distances[:, count - 1 : count]).sum(axis=1).max())
                return distances[:, :kept], rows[:, :kept]
            fetched *= 2

    def _scan(self, probes: Probes, count: int, selector: faiss.IDSelector | None) -> tuple[Floats, Lists]:
        rotated, lists, list_distances = (np.ascontiguousarray(array) for array in probes)
        distances = np.empty((len(rotated), count), np.float32)
        rows = np.empty((len(rotated), count), np.int64)
        self._ivf.search_preassigned_c(
            len(rotated),
            faiss.swig_ptr(rotated),
            count,
            faiss.swig_ptr(lists),
            faiss.swig_ptr(list_distances),
            faiss.swig_ptr(distances),
            faiss.swig_ptr(rows),
            False,
            faiss.SearchParametersIVF(nprobe=lists.shape[1], sel=selector),
        )
        return (distances if self._is_l2 else -distances), rows


def _without_others(distances: Floats, rows: Lists, wanted: RowSet) -> tuple[Floats, Lists]:
    """Put rows that are missing or not wanted last."""
    gone = ~wanted.holds(rows)
    if not gone.any():
        return distances, rows
    order = np.argsort(gone, axis=1, kind="stable")
    distances, rows = np.where(gone, np.inf, distances), np.where(gone, -1, rows)
    return np.take_along_axis(distances, order, axis=1), np.take_along_axis(rows, order, axis=1)
