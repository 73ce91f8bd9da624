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

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retrieval.files.atomic import atomic_path
from retrieval.files.checked import check_file, file_digest, read_document
from retrieval.files.mapped import map_file
from retrieval.index.centroids.quantizer import Quantizer
from retrieval.index.inverted_lists import ScannedLists, open_lists
from retrieval.rows.authors import AuthorRows, AuthorWriter
from retrieval.rows.facets import Facets, FacetWriter
from retrieval.rows.named_rows import NamedRows, NameWriter
from retrieval.rows.records import DisplayReader, record_schema
from retrieval.rows.row_numbers import RowSet, write_order
from schemas.arrays import Codes, Lists, Pmids, Rows
from schemas.errors import IntegrityError
from schemas.formats import FORMATS, NEWEST
from schemas.layout import ARTICLES, AUTHORS, LISTS, PMID_ORDER, PMIDS, ROWS, SEGMENT_MANIFEST
from schemas.manifest import Segment

READ_BYTES = 2**24

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
    folder: str,
    groups: Iterable[RowGroup],
    sizes: Lists,
    *,
    segment: str,
    shard: int,
    quantizer: Quantizer,
    format: int = NEWEST,
) -> Segment:
    """Write the groups, which together cover all lists in order, as one segment; return its manifest.

    A folder that is there already holds the same, and is left as it is.

    `sizes` are the rows per list (nlist,). Memory: one group, 100 MB for the order of the PMIDs, and what
    `FacetWriter`, `NameWriter` and `AuthorWriter` say.
    """
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        rows = _write_rows(temporary, groups, sizes, quantizer, format)
        manifest = Segment(
            id=segment,
            shard=shard,
            rows=rows,
            dimension=quantizer.dimension,
            nlist=len(sizes),
            code_size=quantizer.code_size,
            format=format,
            files={n: file_digest(temporary / n) for n in FORMATS[format].files},
        )
        (temporary / SEGMENT_MANIFEST).write_text(manifest.model_dump_json(indent=1))
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


def check_pmids(folder: Path) -> None:
    """Refuse (IntegrityError) a segment of which a row's article is another PMID's."""
    pmids = np.fromfile(folder / PMIDS, np.int64)
    with pa.memory_map(str(folder / ARTICLES)) as source:
        articles = pa.ipc.open_file(source).read_all()["pmid"].to_numpy()
    if not np.array_equal(pmids, articles):
        raise IntegrityError(f"{folder}: rows of other articles than {PMIDS} says; run pubray index --full")


def read_manifest(folder: str) -> Segment:
    """Return the manifest of the segment in a folder."""
    return read_document(f"{folder}/{SEGMENT_MANIFEST}", Segment, f"segment {folder}")


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


class OpenSegment(ScannedLists):
    """A mapped segment. Opening costs milliseconds and a byte a row; the page cache holds what is read."""

    def __init__(
        self, folder: str, manifest: Segment, quantizer: Quantizer, dead: NDArray[np.int64] | None = None
    ) -> None:
        """Map the files after a look at their sizes and first bytes. Rows that are `dead` are never found.

        Raises:
            IntegrityError: a file is missing, truncated, or not the one that the manifest names.
        """
        root = Path(folder)
        if manifest.format not in FORMATS:
            raise IntegrityError(f"{folder}: of format {manifest.format}, by a later pubray; install that one")
        if missing := sorted({*FORMATS[manifest.format].files} - {*manifest.files}):
            raise IntegrityError(f"{folder}: of an earlier pubray, without {missing[0]}; run pubray index --full")
        for name, digest in manifest.files.items():
            check_file(root / name, digest)
        self.manifest = manifest
        lists, begin = map_file(root / LISTS, np.uint8), SIZES_BEGIN + 8 * manifest.nlist
        super().__init__(open_lists(root / LISTS), lists[SIZES_BEGIN:begin].view(np.int64), quantizer)
        self._lists = lists[begin:].data
        shape = (manifest.rows, manifest.dimension)
        self.rows: Rows = map_file(root / ROWS, np.float16).reshape(shape)
        self.pmids: Pmids = map_file(root / PMIDS, np.int64)
        self.pmid_order: NDArray[np.uint32] = map_file(root / PMID_ORDER, np.uint32)
        self.facets = Facets(root, manifest.rows, manifest.format)
        self._root = root
        self.live = np.ones(manifest.rows, bool)
        self.live[dead if dead is not None else []] = False
        self.live_rows = int(self.live.sum())

    def read_lists(self) -> None:
        """Read the lists into the page cache, which holds them for all processes of the machine."""
        for start in range(0, len(self._lists), READ_BYTES):
            bytes(self._lists[start : start + READ_BYTES])

    @cached_property
    def alive(self) -> RowSet:
        return RowSet(self.live)

    @cached_property
    def articles(self) -> pa.Table:
        """The article records, mapped when they are first asked for: their batches lie all over the file."""
        return pa.ipc.open_file(pa.memory_map(str(self._root / ARTICLES))).read_all()

    @cached_property
    def names(self) -> NamedRows:
        return NamedRows(self._root, self.articles)

    @cached_property
    def authors(self) -> AuthorRows:
        """Of a segment whose format has them."""
        return AuthorRows(self._root)

    @cached_property
    def display(self) -> DisplayReader:
        return DisplayReader(self.articles)

    def codes(self, first_list: int, last_list: int) -> Codes:
        """Return the codes of the lists [first, last)."""
        code_size, sizes = self.manifest.code_size, self.sizes[first_list:last_list]
        ends = (self.sizes[:first_list].sum() + np.cumsum(sizes)) * (code_size + ID_SIZE)
        starts = ends - sizes * (code_size + ID_SIZE)
        parts = zip(starts.tolist(), (starts + sizes * code_size).tolist(), strict=True)
        found = b"".join(self._lists[start:end] for start, end in parts)
        return np.frombuffer(found, np.uint8).reshape(-1, code_size)
