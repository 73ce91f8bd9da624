"""Facets of a segment: which rows have which language, journal, publication type, MeSH heading, year, month and day.

    years.i16       int16 (rows,); NO_YEAR where an article has none
    days.u16        uint16 (rows,): month and day (see retrieval.rows.dates); from format 2 on
    terms.arrow     Arrow IPC (field, term, begin, end), sorted: the rows of a term are postings[begin:end]
    postings.u32    uint32: rows of one concept after the other, ascending

A concept has one list of rows and all its names: a MeSH heading its UI and its descriptor, a journal its NLM id, title,
abbreviation and, from format 2 on, its ISSNs. A name that NLM has given to several concepts, or a UI that was renamed,
has several lines in the terms. Names are kept as `fold` leaves them.
"""

import difflib
import mmap
import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.articles.pmids import distinct
from retrieval.files.mapped import append, map_file
from retrieval.rows.dates import NO_YEAR, month_and_day
from schemas.arrays import StoredRowNumbers
from schemas.filters import fold
from schemas.formats import FORMATS, NEWEST
from schemas.layout import DAYS, POSTINGS, TERMS, YEARS

TERMS_SCHEMA = pa.schema(
    [
        pa.field("field", pa.string(), nullable=False),
        pa.field("term", pa.string(), nullable=False),
        pa.field("begin", pa.uint64(), nullable=False),
        pa.field("end", pa.uint64(), nullable=False),
    ]
)

BATCH_ROWS = 65_536
"""Articles whose terms are looked up at once."""
BLOCK_PAIRS = 1 << 23
"""Pairs that the inversion sorts at once, in 8 bytes each."""
SLICE_PAIRS = 1 << 16
"""Pairs that it then writes at once, at worst each to a page of its own."""
_PAIRS = "pairs.u64"


class FacetWriter:
    """Writes the facets of a segment while its rows are written.

    Memory: 0.4 kB a concept, of which PubMed has some 100 thousand; `finish` takes 370 MB with 200 thousand, however
    many rows there are. Disk, until `finish`: 8 bytes a pair of concept and row, of which an article has 11 to 16.
    """

    def __init__(self, folder: Path, format: int = NEWEST) -> None:
        self._folder, self._rows = folder, 0
        self._dated, self._issns = DAYS in FORMATS[format].files, "issns" in FORMATS[format].columns
        self._concepts: dict[tuple[str, tuple[str, ...]], int] = {}  # field and names -> number
        self._counts = np.empty(0, np.int64)  # rows of each
        for name in (YEARS, _PAIRS, *([DAYS] if self._dated else [])):
            (folder / name).touch()

    def add(self, articles: pa.Table) -> None:
        """Add the next rows: articles as a segment keeps them."""
        for batch in articles.to_batches(max_chunksize=BATCH_ROWS):
            found = []
            for field, rows, names in _entries(batch, issns=self._issns):
                concepts = self._numbers(field, names)
                named = concepts >= 0
                found.append((concepts[named].astype(np.uint64) << 32) | (self._rows + rows[named]).astype(np.uint64))
            pairs = distinct(np.concatenate(found))
            counts = np.bincount((pairs >> 32).astype(np.int64), minlength=len(self._concepts))
            counts[: len(self._counts)] += self._counts
            self._counts = counts
            self._rows += len(batch)
            append(self._folder / _PAIRS, pairs)
            append(self._folder / YEARS, batch["year"].fill_null(NO_YEAR).to_numpy().astype(np.int16))
            if self._dated:
                append(self._folder / DAYS, month_and_day(batch["publication_date"]))

    def finish(self) -> None:
        """Write terms and postings. They depend on the rows alone, not on how they were split into tables."""
        concepts = list(self._concepts)
        order = sorted(range(len(concepts)), key=concepts.__getitem__)
        ends = np.cumsum(self._counts[order])
        begins = ends - self._counts[order]
        lines = [
            (concepts[number][0], name, begin, end)
            for number, begin, end in zip(order, begins.tolist(), ends.tolist(), strict=True)
            for name in concepts[number][1]
        ]
        _write_terms(self._folder / TERMS, sorted(lines))
        first = np.empty(len(concepts), np.int64)
        first[order] = begins
        _invert(self._folder / _PAIRS, self._folder / POSTINGS, first)
        (self._folder / _PAIRS).unlink()

    def _numbers(self, field: str, names: Sequence[pa.Array]) -> NDArray[np.int64]:
        """Return the concept of each entry, given its names by kind; -1 where it has none."""
        codes = np.zeros(len(names[0]), np.int64)
        for column in names:
            encoded = column.dictionary_encode(null_encoding="encode")
            # Below entries², however many kinds of names there are: with those of journals a product would overflow.
            codes = _dense(codes * max(1, len(encoded.dictionary)) + encoded.indices.to_numpy())
        first = np.zeros(codes.max(initial=-1) + 1, np.int64)
        first[codes[::-1]] = np.arange(len(codes))[::-1]
        texts = [column.take(pa.array(first)).to_pylist() for column in names]
        numbers = [self._number(field, entry) for entry in zip(*texts, strict=True)]
        return np.array(numbers, np.int64)[codes]

    def _number(self, field: str, names: Iterable[str | None]) -> int:
        folded = tuple(sorted({fold(name) for name in names if name} - {""}))
        return self._concepts.setdefault((field, folded), len(self._concepts)) if folded else -1


def _dense(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return other codes (n,), from 0 on, that are equal where these are."""
    return pa.array(codes).dictionary_encode().indices.to_numpy().astype(np.int64)


def _entries(batch: pa.RecordBatch, *, issns: bool) -> list[tuple[str, NDArray[np.int64], list[pa.Array]]]:
    """Return for each field the rows (n,) of its entries, and the names (n,) of each kind."""
    rows = np.arange(len(batch))
    journal = [batch[column] for column in ("nlm_id", "journal", "journal_abbreviation")]
    return [
        ("language", *_items(batch["languages"])),
        ("journal", rows, [*journal, *(_places(batch["issns"]) if issns else [])]),
        ("type", *_items(batch["publication_types"], "ui", "name")),
        ("mesh", *_items(batch["mesh"], "ui", "descriptor")),
        ("abstract", rows, [pc.if_else(pc.not_equal(batch["abstract"], ""), "yes", "no")]),
        ("retracted", rows, [pc.if_else(batch["retracted"], "yes", "no")]),
    ]


def _items(lists: pa.ListArray, *names: str) -> tuple[NDArray[np.int64], list[pa.Array]]:
    """Return the rows (n,) of the items of lists, and what they are; of structs the fields `names`."""
    items = pc.list_flatten(lists)
    return pc.list_parent_indices(lists).to_numpy(), [pc.struct_field(items, name) for name in names] or [items]


def _places(lists: pa.ListArray) -> list[pa.Array]:
    """Return the first, second … item of each list, null where it has none: as many arrays as the longest list has."""
    sizes = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    starts, items = np.cumsum(sizes) - sizes, pc.list_flatten(lists)
    return [items.take(pa.array(starts + place, mask=sizes <= place)) for place in range(int(sizes.max(initial=0)))]


def _write_terms(path: Path, lines: Sequence[tuple[str, str, int, int]]) -> None:
    columns = list(zip(*lines, strict=True)) or [()] * len(TERMS_SCHEMA)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, TERMS_SCHEMA, strict=True)]
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, TERMS_SCHEMA) as writer:
        writer.write_batch(pa.record_batch(arrays, schema=TERMS_SCHEMA))


def _invert(pairs: Path, postings: Path, first: NDArray[np.int64]) -> None:
    """Put the row of each pair into the place of its concept, whose rows begin at `first`: a counting sort."""
    free = first.copy()
    with pairs.open("rb") as source, postings.open("w+b") as target:
        if not (total := pairs.stat().st_size // 8):
            return
        os.posix_fallocate(target.fileno(), 0, total * 4)  # a full disk is an error here, and a signal under a map
        with mmap.mmap(target.fileno(), total * 4) as mapped:
            while len(block := np.fromfile(source, np.uint64, BLOCK_PAIRS)):
                block.sort()
                for start in range(0, len(block), SLICE_PAIRS):
                    _place(block[start : start + SLICE_PAIRS], np.frombuffer(mapped, np.uint32), free)
                    mapped.madvise(mmap.MADV_DONTNEED)  # the file keeps the pages; this process need not


def _place(pairs: NDArray[np.uint64], postings: StoredRowNumbers, free: NDArray[np.int64]) -> None:
    """Put the rows of sorted pairs where their concepts have `free` places, and count these up."""
    concepts = (pairs >> 32).astype(np.int64)
    starts = np.flatnonzero(np.diff(concepts, prepend=-1))
    sizes, present = np.diff(starts, append=len(pairs)), concepts[starts]
    postings[np.arange(len(pairs)) + np.repeat(free[present] - starts, sizes)] = pairs.astype(np.uint32)  # lower half
    free[present] += sizes


class Facets:
    """The mapped facets of a segment."""

    def __init__(self, path: Callable[[str], Path], rows: int, format: int = NEWEST) -> None:
        """Map the files, which `path` finds by their names."""
        self.rows = rows
        self.years: NDArray[np.int16] = map_file(path(YEARS), np.int16)
        dated = DAYS in FORMATS[format].files
        self.days: NDArray[np.uint16] | None = map_file(path(DAYS), np.uint16) if dated else None
        """None: not known."""
        self._postings = map_file(path(POSTINGS), np.uint32)
        self._lines = pa.ipc.open_file(pa.memory_map(str(path(TERMS)))).get_batch(0)

    def rows_of(self, field: str, term: str) -> StoredRowNumbers:
        """Return the rows of a term, ascending and each once; none if it is not known."""
        found = self.postings(field, [fold(term)])
        return found[0] if len(found) == 1 else np.unique(np.concatenate([np.empty(0, np.uint32), *found]))

    def postings(self, field: str, terms: Sequence[str]) -> list[StoredRowNumbers]:
        """Return the rows of each concept that one of the terms names, as `fold` leaves them.

        One term is found by bisection; several by one look at all names of the field, 2 ms for 60 thousand.
        """
        if len(terms) == 1:
            lines = self._between((field, terms[0]), (field, terms[0] + "\0"))
        else:
            lines = self._of_field(field)
            lines = lines.filter(pc.is_in(lines["term"], value_set=pa.array(terms, pa.string())))
        places = {*zip(lines["begin"].to_pylist(), lines["end"].to_pylist(), strict=True)}
        return [self._postings[begin:end] for begin, end in sorted(places)]

    def terms(self, field: str) -> list[str]:
        """Return the names of a field as they are kept, sorted."""
        return list(dict.fromkeys(self._of_field(field)["term"].to_pylist()))

    def _of_field(self, field: str) -> pa.RecordBatch:
        return self._between((field, ""), (field + "\0", ""))

    def _between(self, first: tuple[str, str], last: tuple[str, str]) -> pa.RecordBatch:
        """Return the lines from one (field, term) up to another."""
        begin, end = self._find(first), self._find(last)
        return self._lines.slice(begin, end - begin)

    def _find(self, line: tuple[str, str]) -> int:
        """Return the first line that is not before (field, term)."""
        fields, terms = self._lines["field"], self._lines["term"]
        return bisect_left(range(len(fields)), line, key=lambda i: (fields[i].as_py(), terms[i].as_py()))


def near_terms(term: str, known: Iterable[str]) -> list[str]:
    """Return up to 3 of the known names that a term may stand for: those that hold it, then those spelt alike."""
    folded, known = fold(term), list(known)
    holding = sorted((name for name in known if folded in name), key=len) if folded else []
    return list(dict.fromkeys([*holding[:3], *difflib.get_close_matches(folded, known, 3)]))[:3]
