"""Which article does a text name? By PMID or the corpus's own id, by DOI, by its whole title; and its row in a segment.

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
from retrieval.articles.normal_text import normal_form
from retrieval.files.mapped import append, map_file
from retrieval.rows.row_numbers import Keys, Order, RowSet, equal_rows, write_order
from schemas.formats import FORMATS, NEWEST
from schemas.layout import DOI_ORDER, DOIS, PMCID_ORDER, PMCIDS, PMID_ORDER, PMIDS, TITLE_ORDER, TITLES

NAME_CHARS = 1000
"""A longer text names nothing."""
NO_NAME = 0

_PMID = re.compile(r"(?:pmid:?\s*)?([1-9][0-9]{0,8})", re.IGNORECASE)
_DOI_PREFIX = r"(?:doi:\s*|(?:https?://)?(?:dx\.)?doi\.org/)?"
_DOI = re.compile(rf"{_DOI_PREFIX}10\.[0-9]{{4,9}}/\S+", re.IGNORECASE)
_PREFIX = re.compile(_DOI_PREFIX)

# In ASCII, when a text in lower case and trimmed may be other than its normal form, for pyarrow's regular expressions.
_ODD_TITLE = r"[^\x20-\x7e]|  |[&<]"
_ODD_DOI = r"[^\x21-\x7e]|^[^1]"

READ_ROWS = 1000
"""Rows of one hash whose texts are read, at most."""
BATCH_ROWS = 65_536
"""Articles whose names are hashed at once, in some 600 bytes each."""


class Name(NamedTuple):
    """One way to name an article."""

    kind: Literal["id", "doi", "title"]
    text: str
    """An id as it is, a DOI or a title in its normal form."""

    @property
    def key(self) -> int:
        return key_of_id(self.text) if self.kind == "id" else hashed([self.text.encode()]).item()


def parse_names(text: str) -> list[Name]:
    """Return what a query may name, in the order in which it is to be looked up; nothing for most long ones.

    "12345678" and "PMID: 12345678" are a PMID, of up to 9 digits; "10.1000/x", "doi:10.1000/x" and
    "https://doi.org/10.1000/x" are a DOI. Another text without white space may be a corpus's own id. Whatever is not a
    DOI may be a title.
    """
    text = text.strip()
    if not text or len(text) > NAME_CHARS:
        return []
    if _DOI.fullmatch(text):
        return [Name("doi", normal_doi(text))]
    if pmid := _PMID.fullmatch(text):
        ids = [Name("id", pmid[1])]
    else:
        ids = [] if len(text.split()) > 1 else [Name("id", text)]
    title = normal_form(text)
    return [*ids, Name("title", title)] if title else ids


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
        kinds: dict[str, tuple[str, str, Callable[[pa.Array], Keys]]] = {
            "title": (TITLES, TITLE_ORDER, title_hashes),
            "doi": (DOIS, DOI_ORDER, doi_hashes),
            "pmcid": (PMCIDS, PMCID_ORDER, pmcid_numbers),
        }
        self._folder = folder
        self._kinds = {column: kind for column, kind in kinds.items() if kind[0] in FORMATS[format].files}
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

    def __init__(self, folder: Path, articles: pa.Table) -> None:
        self._pmids, self._articles = map_file(folder / PMIDS, np.int64), articles
        files = {"id": (PMIDS, PMID_ORDER), "title": (TITLES, TITLE_ORDER), "doi": (DOIS, DOI_ORDER)}
        self._files: dict[str, tuple[Keys, Order]] = {
            kind: (map_file(folder / keys, np.int64), map_file(folder / order, np.uint32))
            for kind, (keys, order) in files.items()
        }

    def find(self, name: Name, wanted: RowSet) -> int | None:
        """Return the row of a name: of the wanted ones that have it, the one with the lowest PMID."""
        if not wanted.count or (name.kind != "id" and name.key == NO_NAME):
            return None
        rows = equal_rows(*self._files[name.kind], name.key).astype(np.int64)
        rows = rows[wanted.holds(rows)][:READ_ROWS]
        return next((row for row in rows.tolist() if self._has(row, name)), None)

    def _has(self, row: int, name: Name) -> bool:
        """Compare the texts: equal hashes are not equal texts."""
        if name.kind == "id":
            return (self._text("doc_id", row) or str(self._pmids[row])) == name.text
        text = self._text(name.kind, row) or ""
        return (normal_form(text) if name.kind == "title" else normal_doi(text)) == name.text

    def _text(self, column: str, row: int) -> str | None:
        return self._articles[column][row].as_py()
