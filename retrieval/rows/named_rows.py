"""The rows of a segment by what names their articles.

titles.i64, dois.i64              int64 (rows,): the hash of each (see retrieval.rows.article_names)
title_order.u32, doi_order.u32    uint32: the rows that have one, in order of (hash, PMID)
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from retrieval.articles.normal_text import normal_form
from retrieval.files.mapped import append, map_file
from retrieval.rows.article_names import NO_NAME, Name, doi_hashes, normal_doi, title_hashes
from retrieval.rows.row_order import Keys, Order, equal_rows, write_order
from retrieval.rows.row_set import RowSet
from schemas.layout import DOI_ORDER, DOIS, PMID_ORDER, PMIDS, TITLE_ORDER, TITLES

READ_ROWS = 1000
"""Rows of one hash whose texts are read, at most."""
BATCH_ROWS = 65_536
"""Articles whose names are hashed at once, in some 600 bytes each."""


class NameWriter:
    """Writes the four files while the rows of a segment are written: up to 24 bytes a row.

    Memory: of `finish` 100 MB, or 48 bytes for each row of the most frequent title where these are more.
    """

    def __init__(self, folder: Path) -> None:
        """Begin in a folder that has none."""
        self._folder = folder
        for name in (TITLES, DOIS):
            (folder / name).touch()

    def add(self, articles: pa.Table) -> None:
        """Add the next rows; of the table `title` and `doi` are read."""
        for batch in articles.select(["title", "doi"]).to_batches(max_chunksize=BATCH_ROWS):
            append(self._folder / TITLES, title_hashes(batch["title"]))
            append(self._folder / DOIS, doi_hashes(batch["doi"]))

    def finish(self) -> None:
        """Write the orders, when the PMIDs are written."""
        for keys, order in ((TITLES, TITLE_ORDER), (DOIS, DOI_ORDER)):
            write_order(self._folder / keys, self._folder / order, ties=self._folder / PMIDS, without=NO_NAME)


class NamedRows:
    """The mapped files, and the articles whose texts decide."""

    def __init__(self, folder: Path, articles: pa.Table) -> None:
        """Map the files, which are whole (see `check_file`)."""
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
