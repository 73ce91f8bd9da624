"""Which rows of a segment have an author: by last name and initials, as PubMed is asked, or by the name of a group.

    authors.i64        int64: hashes of names, ascending; of each row every name of its authors once
    author_rows.u32    uint32: the row of each; rows of one name are ascending

A person is found by the name that NLM cites ("Smith JA Jr"), by last name and initials ("Smith JA"), and by the last
name and the first initial ("Smith J"), so that fewer initials find more. Names are compared as `author_form` leaves
them, by 64 bits of blake2b: two of the 20 million names of PubMed meet with probability 1e-5.
"""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.files.mapped import append, map_file
from retrieval.rows.named_rows import hashed
from retrieval.rows.row_numbers import SORTED_ROWS, Keys
from schemas.arrays import StoredRowNumbers
from schemas.filters import fold
from schemas.layout import AUTHOR_ROWS, AUTHORS

BATCH_ROWS = 16_384
"""Articles whose authors are hashed at once."""
_NAMES, _ROWS = "names.i64", "names.u32"

MAX_INITIALS = 4
_CITED = re.compile(rf"(.+?) (\S{{1,{MAX_INITIALS}}})(?: (?:Jr|Sr|I{{2,3}}|IV|1st|2nd|3rd|[4-9]th))?")
"""A person: the last name, initials, and what is left out of most searches."""
_INITIALS_APART = re.compile(r"(?<= \w) (?=\w(?: |$))")


def author_form(name: str) -> str:
    """Return a name as it is compared: whatever its case and periods, "Smith J.A." and "smith j a" are "smith ja"."""
    return _INITIALS_APART.sub("", fold(name.replace(".", ". ")))


def cited_forms(name: str) -> set[str]:
    """Return all forms that an author is found by, as NLM cites him."""
    last, _, initials = name.rpartition(" ")
    is_short = initials.isalpha() and initials.isupper() and len(initials) <= MAX_INITIALS
    if is_short and name.isascii() and last.isalpha() and len(last) > 1:  # as most are: in half the time
        form = name.lower()
        return {form, form[: len(last) + 2]}
    forms = {author_form(name)}
    if (parts := _CITED.fullmatch(name)) and parts[2].isupper():
        forms |= {author_form(f"{parts[1]} {initials}") for initials in (parts[2], parts[2][0])}
    return forms - {""}


def asked_forms(name: str) -> list[str]:
    """Return the forms that a search for an author may mean: "Smith, J. A." and "Smith, John A" are Smith JA too."""
    last, comma, given = name.partition(",")
    names = given.replace(".", " ").split()
    initials = "".join(part if part.isupper() else part[0] for part in names)
    spelt = [f"{last} {initials}"] if comma and initials else []
    return [*dict.fromkeys(form for text in (name, *spelt) if (form := author_form(text)))]


class AuthorWriter:
    """Writes the two files while the rows of a segment are written: 12 bytes a name of a row.

    Memory: of a batch of articles some 30 MB; of `finish` 60 MB, whatever the number of rows: names are put in order in
    ranges of hashes, which are of one size. Disk, until `finish`: as much again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._rows = folder, 0
        self._ends = [0]
        """Where the names of each batch end, which are in order of (hash, row)."""
        for name in (_NAMES, _ROWS):
            (folder / name).touch()

    def add(self, articles: pa.Table) -> None:
        """Add the next rows; of the table `authors`, as a segment keeps them, is read."""
        for batch in articles.select(["authors"]).to_batches(max_chunksize=BATCH_ROWS):
            names = pc.list_flatten(batch["authors"]).dictionary_encode()
            rows = pc.list_parent_indices(batch["authors"]).to_numpy() + self._rows
            forms = [cited_forms(name) for name in names.dictionary.to_pylist()]
            sizes = np.array([len(of_name) for of_name in forms], np.int64)
            keys, numbers = hashed([form.encode() for of_name in forms for form in of_name]), names.indices.to_numpy()
            places = _ranges(np.cumsum(sizes)[numbers] - sizes[numbers], sizes[numbers])
            keys, rows = keys[places], np.repeat(rows, sizes[numbers]).astype(np.uint32)
            order = np.lexsort([rows, keys])
            keys, rows = keys[order], rows[order]
            new = (np.diff(keys, prepend=~keys[:1]) != 0) | (np.diff(rows, prepend=rows[:1]) != 0)
            append(self._folder / _NAMES, keys[new])
            append(self._folder / _ROWS, rows[new])
            self._ends.append(self._ends[-1] + int(new.sum()))
            self._rows += len(batch)

    def finish(self) -> None:
        """Put the names of all batches in one order."""
        names, rows = map_file(self._folder / _NAMES, np.int64), map_file(self._folder / _ROWS, np.uint32)
        ranges = -(-len(names) // SORTED_ROWS) or 1
        bounds = [(1 << 64) * i // ranges - (1 << 63) for i in range(1, ranges)]
        cuts = [
            np.concatenate([[begin], begin + np.searchsorted(names[begin:end], bounds), [end]]).astype(np.int64)
            for begin, end in pairwise(self._ends)
        ]
        for path in (AUTHORS, AUTHOR_ROWS):
            (self._folder / path).touch()
        for number in range(ranges):
            parts = [slice(cut[number], cut[number + 1]) for cut in cuts]
            keys = np.concatenate([np.empty(0, np.int64), *(names[part] for part in parts)])
            order = np.argsort(keys, kind="stable")  # batches are in order of their rows
            append(self._folder / AUTHORS, keys[order])
            of_keys = np.concatenate([np.empty(0, np.uint32), *(rows[part] for part in parts)])
            append(self._folder / AUTHOR_ROWS, of_keys[order])
        for path in (_NAMES, _ROWS):
            (self._folder / path).unlink()


def _ranges(starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of all ranges [start, start + size), one range after the other."""
    ends = np.cumsum(sizes)
    return np.arange(sizes.sum()) + np.repeat(starts - (ends - sizes), sizes)


class AuthorRows:
    """The mapped files."""

    def __init__(self, path: Callable[[str], Path]) -> None:
        """Map the files, which `path` finds by their names."""
        self._names: Keys = map_file(path(AUTHORS), np.int64)
        self._rows: StoredRowNumbers = map_file(path(AUTHOR_ROWS), np.uint32)

    def rows_of(self, name: str) -> StoredRowNumbers:
        """Return the rows of an author, ascending and each once; none if he is not known."""
        found = []
        for key in hashed([form.encode() for form in asked_forms(name)]):
            begin, end = (int(np.searchsorted(self._names, key, side)) for side in ("left", "right"))
            found.append(self._rows[begin:end])
        return np.unique(np.concatenate([np.empty(0, np.uint32), *found]))
