"""Which articles does a text name? By PMID or the corpus's own id, PMCID, DOI, title; and their rows in a segment.

DOIs and titles are compared in their normal forms, and looked up by 64 bits of blake2b over these. A normal form of
nothing is hashed to `NO_NAME`, which is never looked up.

titles.i64, dois.i64              int64 (rows,): the hash of each
pmcids.i64                        int64 (rows,): the number of the PMCID; from format 2 on
title_order.u32, doi_order.u32, pmcid_order.u32   uint32: the rows that have one, in order of (key, PMID)
"""

import re
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retrieval.articles.article import key_of_id
from retrieval.articles.identifiers import identifiers
from retrieval.articles.normal_text import normal_form
from retrieval.files.mapped import append, map_file
from retrieval.rows.row_numbers import Keys, Order, RowSet, equal_rows, write_order
from schemas.formats import FORMATS, NEWEST
from schemas.layout import DOI_ORDER, DOIS, PMCID_ORDER, PMCIDS, PMID_ORDER, PMIDS, TITLE_ORDER, TITLES

NAME_CHARS = 1000
"""A longer text names nothing."""
NO_NAME = 0

_PREFIX = re.compile(r"(?:doi:\s*|(?:https?://)?(?:dx\.)?doi\.org/)?")

# In ASCII, when a text in lower case and trimmed may be other than its normal form, for pyarrow's regular expressions.
_ODD_TITLE = r"[^\x20-\x7e]|  |[&<]"
_ODD_DOI = r"[^\x21-\x7e]|^[^1]"

# The files of each kind of name: the keys of the rows, and the rows in their order.
_FILES = {
    "id": (PMIDS, PMID_ORDER),
    "pmcid": (PMCIDS, PMCID_ORDER),
    "title": (TITLES, TITLE_ORDER),
    "doi": (DOIS, DOI_ORDER),
}

READ_ROWS = 1000
"""Rows of one hash whose texts are read, at most."""
BATCH_ROWS = 65_536
"""Articles whose names are hashed at once, in some 600 bytes each."""


class Name(NamedTuple):
    """One way to name an article."""

    kind: Literal["id", "pmcid", "doi", "title"]
    text: str
    """An id as it is, the digits of a PMCID, a DOI or a title in its normal form."""

    @property
    def key(self) -> int:
        if self.kind == "pmcid":
            return int(self.text)
        return key_of_id(self.text) if self.kind == "id" else hashed([self.text.encode()]).item()


def parse_names(text: str) -> list[list[Name]]:
    """Return what a query may name: for each article the names by which it is looked up, in that order.

    Nothing for most long ones. `retrieval.articles.identifiers` tells which identifiers it knows. A text without white
    space may be a corpus's own id, and every text a title: beside one identifier, or none, these are other names of the
    same article, after several those of one more.
    """
    text = text.strip()
    if not text or len(text) > NAME_CHARS:
        return []
    asked = [
        [Name(kind, normal_doi(form) if kind == "doi" else form) for form in forms] for kind, forms in identifiers(text)
    ]
    itself = [Name("id", text)] if len(text.split()) == 1 else []
    if title := normal_form(text):
        itself.append(Name("title", title))
    articles = [[*asked[0], *itself]] if len(asked) == 1 else [*asked, itself]
    return [list(dict.fromkeys(names)) for names in articles if names]


def normal_doi(doi: str) -> str:
    """Return a DOI whatever its case, without "doi:" or the address of a resolver before it."""
    return _PREFIX.sub("", doi.strip().casefold(), count=1)


def title_hashes(titles: pa.Array) -> Keys:
    """Return the hash (n,) of each title: 1 µs each."""
    return _hashes(pc.ascii_trim(pc.ascii_lower(titles), " .[]"), titles, _ODD_TITLE, normal_form)


def doi_hashes(dois: pa.Array) -> Keys:
    """Return the hash (n,) of each DOI, null where there is none."""
    dois = dois.fill_null("")
    return _hashes(pc.ascii_lower(dois), dois, _ODD_DOI, normal_doi)


def pmcid_numbers(pmcids: pa.Array) -> Keys:
    """Return the number (n,) of each PMCID, null where there is none: "PMC7654321", "PMC7654321.1" is 7654321."""
    digits = pc.replace_substring_regex(pmcids.fill_null(""), r"(?i)^\s*(?:PMC)?([0-9]{1,18})(?:\.[0-9]+)?\s*$", r"\1")
    is_one = pc.match_substring_regex(digits, "^[0-9]{1,18}$")
    return pc.if_else(is_one, digits, str(NO_NAME)).cast(pa.int64()).to_numpy(zero_copy_only=False)


def _hashes(simple: pa.Array, texts: pa.Array, odd: str, normal: Callable[[str], str]) -> Keys:
    """Hash the normal forms of texts, which are `simple` unless this has something `odd`: in a quarter of the time."""
    mask = pc.match_substring_regex(simple, odd)
    others = pa.array([normal(text) for text in texts.filter(mask).to_pylist()], pa.string())
    forms = pc.replace_with_mask(simple, mask, others)
    hashes = hashed(forms.cast(pa.binary()).to_pylist())
    hashes[pc.equal(forms, "").to_numpy(zero_copy_only=False)] = NO_NAME
    return hashes


def hashed(forms: list[bytes]) -> Keys:
    """Return 64 bits (n,) of blake2b over each form."""
    digests = b"".join([blake2b(form, digest_size=8).digest() for form in forms])
    return np.frombuffer(digests, "<i8").astype(np.int64)


class NameWriter:
    """Writes these files while the rows of a segment are written: up to 36 bytes a row.

    Memory: of `finish` 100 MB, or 48 bytes for each row of the most frequent title where these are more.
    """

    def __init__(self, folder: Path, format: int = NEWEST) -> None:
        kinds = {"title": title_hashes, "doi": doi_hashes, "pmcid": pmcid_numbers}
        self._folder = folder
        self._kinds = {
            column: (*_FILES[column], keys_of)
            for column, keys_of in kinds.items()
            if _FILES[column][0] in FORMATS[format].files
        }
        for keys, _, _ in self._kinds.values():
            (folder / keys).touch()

    def add(self, articles: pa.Table) -> None:
        """Add the next rows; of the table `title`, `doi` and `pmcid` are read."""
        for batch in articles.select([*self._kinds]).to_batches(max_chunksize=BATCH_ROWS):
            for column, (keys, _, keys_of) in self._kinds.items():
                append(self._folder / keys, keys_of(batch[column]))

    def finish(self) -> None:
        """Write the orders, when the PMIDs are written."""
        for keys, order, _ in self._kinds.values():
            write_order(self._folder / keys, self._folder / order, ties=self._folder / PMIDS, without=NO_NAME)


class NamedRows:
    """The mapped files, and the articles whose texts decide."""

    def __init__(self, path: Callable[[str], Path], articles: pa.Table, format: int = NEWEST) -> None:
        """Map the files, which `path` finds by their names."""
        self._pmids, self._articles = map_file(path(PMIDS), np.int64), articles
        self._files: dict[str, tuple[Keys, Order]] = {
            kind: (map_file(path(keys), np.int64), map_file(path(order), np.uint32))
            for kind, (keys, order) in _FILES.items()
            if order in FORMATS[format].files  # no PMCIDs in format 1
        }

    def find(self, name: Name, wanted: RowSet) -> int | None:
        """Return the row of a name: of the wanted ones that have it, the one with the lowest PMID."""
        if not wanted.count or name.kind not in self._files or (name.kind != "id" and name.key == NO_NAME):
            return None
        rows = equal_rows(*self._files[name.kind], name.key).astype(np.int64)
        rows = rows[wanted.holds(rows)][:READ_ROWS]
        return next((row for row in rows.tolist() if self._has(row, name)), None)

    def _has(self, row: int, name: Name) -> bool:
        """Compare the texts: equal hashes are not equal texts. A PMCID's key is no hash."""
        if name.kind == "pmcid":
            return True
        if name.kind == "id":
            return (self._text("doc_id", row) or str(self._pmids[row])) == name.text
        text = self._text(name.kind, row) or ""
        return (normal_form(text) if name.kind == "title" else normal_doi(text)) == name.text

    def _text(self, column: str, row: int) -> str | None:
        return self._articles[column][row].as_py()
