"""Ranges of rows of an article part, and which of them are alive and selected."""

from collections.abc import Sequence

import pyarrow as pa

from retrieval.articles.pmids import selected
from retrieval.articles.snapshot import Snapshot, alive_rows, check_part, open_keys
from retrieval.files.parquet import read_range
from schemas.arrays import Mask, Pmids
from schemas.config import SelectionConfig
from schemas.layout import Layout
from schemas.store import Store
from schemas.vector import RowRange


def read_selected(
    store: Store,
    snapshot: Snapshot,
    rows: RowRange,
    columns: Sequence[str],
    selection: SelectionConfig,
    pmids: Pmids | None,
) -> tuple[pa.Table, Mask]:
    """Return a range (pmid and abstract among its columns), and which of its rows are alive and selected.

    pmids: `read_selection`.

    Raises:
        IntegrityError: the part is not the one that the snapshot names.
    """
    key = Layout.article_part(rows.source)
    with store.parquet(key) as file:
        check_part(snapshot, rows.source, file, store.name(key))
        articles = read_range(file, rows.start, rows.stop, columns)
    with open_keys(store, snapshot.id) as file:
        alive = alive_rows(file, snapshot.number(rows.source), rows.start, rows.stop)
    return articles, alive & selected(selection, pmids, articles)
