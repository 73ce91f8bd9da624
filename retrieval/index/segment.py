"""Segments on disk: written as a stream of rows in (list, pmid) order, opened by memory map.

A worker shard is a segment over one worker's rows, and a merge writes a segment from segments. Row r of every file
describes the same article; r is its FAISS id.

    lists.faiss      FAISS inverted lists: codes and row numbers, list by list
    rows.f16         float16 (rows, dimension)
    pmids.i64        int64 (rows,)
    pmid_order.u32   uint32 (rows,): the rows in order of PMID
    titles.i64, title_order.u32, dois.i64, doi_order.u32, pmcids.i64, pmcid_order.u32
                     finding titles, DOIs and PMCIDs (see retrieval.rows.named_rows)
    articles.arrow   Arrow IPC, the article records (see retrieval.rows.records)
    years.i16, days.u16, terms.arrow, postings.u32   what filters look at (see retrieval.rows.facets)
    authors.i64, author_rows.u32   which rows an author has (see retrieval.rows.authors)
    segment.json     counts and digests; written last

`schemas.formats` says which of them there are in which format.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retrieval.files.checked import file_digest, read_document
from retrieval.files.mapped import map_file
from retrieval.index.centroids.quantizer import Quantizer
from retrieval.index.inverted_lists import ScannedLists, open_lists
from retrieval.rows.authors import AuthorRows, AuthorWriter
from retrieval.rows.facets import Facets, FacetWriter
from retrieval.rows.named_rows import NamedRows, NameWriter
from retrieval.rows.records import DisplayReader, record_schema
from retrieval.rows.row_numbers import RowSet, write_order
from schemas.arrays import Codes, Lists, Pmids, RowNumbers, Rows
from schemas.errors import IntegrityError
from schemas.formats import FORMATS, NEWEST
from schemas.layout import ARTICLES, AUTHORS, LISTS, PMID_ORDER, PMIDS, ROWS, SEGMENT_MANIFEST
from schemas.manifest import Segment
from schemas.store import Store

READ_BYTES = 2**24
THREADS = 8
"""Files of segments that are brought at a time: most are small, and their server may be far."""

SIZES_BEGIN = 32
"""Where in a lists file the sizes of the lists begin; codes and row numbers follow them."""
ID_SIZE = 8
"""Bytes of a row number in a list."""


class RowGroup(NamedTuple):
    """Consecutive rows of a segment, in (list, pmid) order; never part of a list."""

    codes: Codes
    rows: Iterable[Rows]
    """In blocks, read once: as a whole they would be most of what a group takes of memory."""
    pmids: Pmids
    articles: pa.Table
    sizes: Lists
    """Rows per list, for the lists of this group; they add up to the rows."""


def write_segment(
    folder: Path,
    groups: Iterable[RowGroup],
    sizes: Lists,
    *,
    segment: str,
    shard: int,
    quantizer: Quantizer,
    format: int = NEWEST,
) -> Segment:
    """Write the groups, which together cover all lists in order, as one segment in a new folder; return its manifest.

    `sizes` are the rows per list (nlist,). Memory: one group, 100 MB for the order of the PMIDs, and what
    `FacetWriter`, `NameWriter` and `AuthorWriter` say.
    """
    folder.mkdir()
    rows = _write_rows(folder, groups, sizes, quantizer, format)
    manifest = Segment(
        id=segment,
        shard=shard,
        rows=rows,
        dimension=quantizer.dimension,
        nlist=len(sizes),
        code_size=quantizer.code_size,
        format=format,
        files={n: file_digest(folder / n) for n in FORMATS[format].files},
    )
    (folder / SEGMENT_MANIFEST).write_text(manifest.model_dump_json(indent=1))
    return manifest


def _write_rows(folder: Path, groups: Iterable[RowGroup], sizes: Lists, quantizer: Quantizer, format: int) -> int:
    """Write the data files; return how many rows there are."""
    schema, first = record_schema(format), 0
    beside: list[FacetWriter | NameWriter | AuthorWriter] = [FacetWriter(folder, format), NameWriter(folder, format)]
    beside += [AuthorWriter(folder)] if AUTHORS in FORMATS[format].files else []
    with (
        (folder / LISTS).open("wb") as lists,
        (folder / ROWS).open("wb") as rows,
        (folder / PMIDS).open("wb") as pmids,
        pa.OSFile(str(folder / ARTICLES), "wb") as articles,
        pa.ipc.new_file(articles, schema) as records,
    ):
        lists.write(_lists_header(sizes, quantizer.code_size))
        for group in groups:
            lists.writelines(_split(group, first))
            rows.writelines(block.data for block in group.rows)
            pmids.write(group.pmids.data)
            table = group.articles.select(schema.names).cast(schema)
            records.write_table(table)
            for writer in beside:
                writer.add(table)
            first += len(group.pmids)
    write_order(folder / PMIDS, folder / PMID_ORDER)
    for writer in beside:
        writer.finish()
    return first


def check_pmids(pmids: Path, articles: Path) -> None:
    """Refuse (IntegrityError) a segment, by two of its files, of which a row's article is another PMID's."""
    with pa.memory_map(str(articles)) as source:
        theirs = pa.ipc.open_file(source).read_all()["pmid"].to_numpy()
    if not np.array_equal(np.fromfile(pmids, np.int64), theirs):
        raise IntegrityError(f"{pmids.parent}: rows of other articles than {PMIDS} says; run pubray index --full")


def read_manifest(store: Store, folder: str) -> Segment:
    """Return the manifest of the segment in a folder."""
    return read_document(store, f"{folder}/{SEGMENT_MANIFEST}", Segment, f"segment {store.name(folder)}")


def is_there(store: Store, folder: str) -> bool:
    """Return whether a folder holds a segment, whole."""
    return store.facts(f"{folder}/{SEGMENT_MANIFEST}") is not None


def open_all(segments: Sequence["OpenSegment"]) -> None:
    """Bring and check every file of segments, those too that are seldom asked for, several at a time."""
    files = [(segment, name) for segment in segments for name in segment.manifest.files]
    files.sort(key=lambda one: -one[0].manifest.files[one[1]].bytes)  # none is left for when the others are here
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda one: one[0].path(one[1]), files))


def _lists_header(sizes: Lists, code_size: int) -> bytes:
    """Return the head of FAISS's `ilar` section (faiss/impl/index_write.cpp, write_InvertedLists)."""
    nlist = np.uint64(len(sizes)).tobytes()
    return b"ilar" + nlist + np.uint64(code_size).tobytes() + b"full" + nlist + sizes.astype(np.uint64).tobytes()


def _split(group: RowGroup, first: int) -> Iterable[memoryview]:
    """Yield the codes, then the row numbers, of each list of a group whose first row is `first`."""
    codes, numbers = group.codes.data, np.arange(first, first + len(group.codes)).data
    start = 0
    for size in group.sizes.tolist():
        yield codes[start : start + size]
        yield numbers[start : start + size]
        start += size


class OpenSegment:
    """A segment, of whose files each is mapped when it is first asked for; the page cache holds what is read.

    What is asked for may be an IntegrityError: the file is missing, truncated, or not the one that the manifest names.
    """

    def __init__(
        self,
        store: Store,
        folder: str,
        manifest: Segment,
        quantizer: Quantizer,
        dead: NDArray[np.int64] | None = None,
        *,
        sparse: bool = False,
    ) -> None:
        """Open nothing yet. Rows that are `dead` are never found. Memory: a byte a row.

        sparse: vectors are read from where the store is, row by row, for few of them are wanted.

        Raises:
            IntegrityError: this pubray does not know the format.
        """
        if manifest.format not in FORMATS:
            name = store.name(folder)
            raise IntegrityError(f"{name}: of format {manifest.format}, by a later pubray; install that one")
        if missing := sorted({*FORMATS[manifest.format].files} - {*manifest.files}):
            name = store.name(folder)
            raise IntegrityError(f"{name}: of an earlier pubray, without {missing[0]}; run pubray index --full")
        self.manifest = manifest
        self._store, self._folder, self._quantizer, self._sparse = store, folder, quantizer, sparse
        self.live = np.ones(manifest.rows, bool)
        self.live[dead if dead is not None else []] = False
        self.live_rows = int(self.live.sum())

    def path(self, name: str) -> Path:
        """Return where one of the files can be mapped."""
        return self._store.local(f"{self._folder}/{name}", self.manifest.files[name])

    @cached_property
    def scanned(self) -> ScannedLists:
        """The lists, for the first stage of a search."""
        return ScannedLists(open_lists(self.path(LISTS)), self.sizes, self._quantizer)

    @cached_property
    def sizes(self) -> Lists:
        """How many rows each list has (nlist,), dead ones too."""
        return self._mapped_lists[SIZES_BEGIN : self._codes_begin].view(np.int64)

    @cached_property
    def _mapped_lists(self) -> NDArray[np.uint8]:
        return map_file(self.path(LISTS), np.uint8)

    @property
    def _codes_begin(self) -> int:
        return SIZES_BEGIN + 8 * self.manifest.nlist

    @cached_property
    def rows(self) -> Rows:
        """All vectors (rows, dimension)."""
        return map_file(self.path(ROWS), np.float16).reshape(self.manifest.rows, self.manifest.dimension)

    def vectors(self, rows: RowNumbers) -> Rows:
        """Return the vectors (n, dimension) of some rows, in ascending order."""
        if not self._sparse:
            return self.rows[rows]
        size = 2 * self.manifest.dimension
        found = self._store.ranges(f"{self._folder}/{ROWS}", (rows * size).tolist(), size)
        return np.frombuffer(bytearray(found), np.float16).reshape(len(rows), self.manifest.dimension)

    @cached_property
    def pmids(self) -> Pmids:
        return map_file(self.path(PMIDS), np.int64)

    @cached_property
    def pmid_order(self) -> NDArray[np.uint32]:
        return map_file(self.path(PMID_ORDER), np.uint32)

    @cached_property
    def facets(self) -> Facets:
        return Facets(self.path, self.manifest.rows, self.manifest.format)

    def read_lists(self) -> None:
        """Read the lists into the page cache, which holds them for all processes of the machine."""
        for start in range(0, len(self._mapped_lists), READ_BYTES):
            bytes(self._mapped_lists[start : start + READ_BYTES])

    @cached_property
    def alive(self) -> RowSet:
        return RowSet(self.live)

    @cached_property
    def articles(self) -> pa.Table:
        """The article records; their batches lie all over the file."""
        return pa.ipc.open_file(pa.memory_map(str(self.path(ARTICLES)))).read_all()

    @cached_property
    def names(self) -> NamedRows:
        return NamedRows(self.path, self.articles, self.manifest.format)

    @cached_property
    def authors(self) -> AuthorRows:
        """Of a segment whose format has them."""
        return AuthorRows(self.path)

    @cached_property
    def display(self) -> DisplayReader:
        return DisplayReader(self.articles)

    def codes(self, first_list: int, last_list: int) -> Codes:
        """Return the codes of the lists [first, last)."""
        code_size, sizes = self.manifest.code_size, self.sizes[first_list:last_list]
        ends = (self.sizes[:first_list].sum() + np.cumsum(sizes)) * (code_size + ID_SIZE)
        starts = ends - sizes * (code_size + ID_SIZE)
        parts = zip(starts.tolist(), (starts + sizes * code_size).tolist(), strict=True)
        lists = self._mapped_lists[self._codes_begin :].data
        found = b"".join(lists[start:end] for start, end in parts)
        return np.frombuffer(found, np.uint8).reshape(-1, code_size)
