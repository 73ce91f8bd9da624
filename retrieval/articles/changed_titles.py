"""Some of what changed between two snapshots, for a person to look at: ids and titles."""

import numpy as np
import pyarrow as pa

from retrieval.articles.alive_records import Records, changes
from retrieval.articles.snapshot import Snapshot
from retrieval.articles.snapshot_update import find_states
from retrieval.files.parquet import read_range
from schemas.layout import Layout
from schemas.store import Store

SHOWN = 5
"""Articles of each kind of change."""
KINDS = ("added", "revised_text", "revised_metadata", "deleted")


def changed_titles(store: Store, old: Snapshot | None, new: Snapshot) -> dict[str, dict[str, str]]:
    """Return by kind of change the ids and titles of some articles of the last article part that is new.

    Of what was deleted the title is the one that it had.
    """
    known = {ref.name for ref in old.info.parts} if old else set[str]()
    if (last := next((ref for ref in reversed(new.info.parts) if ref.name not in known), None)) is None:
        return {}
    with store.parquet(Layout.article_part(last.name)) as file:
        pmids = np.unique(read_range(file, 0, last.rows, ["pmid"])["pmid"].to_numpy())
    before, after = (find_states(store, snapshot, pmids)[0] for snapshot in (old, new))
    kinds, found = changes(before, after), dict[str, dict[str, str]]()
    for kind in KINDS:
        snapshot, states = (old, before) if kind == "deleted" else (new, after)
        if snapshot and len(chosen := states[np.flatnonzero(kinds[kind])[:SHOWN]]):
            found[kind] = _titles(store, snapshot, chosen)
    return found


def _titles(store: Store, snapshot: Snapshot, records: Records) -> dict[str, str]:
    """Return the titles of records by their ids. What is read of an article part is read once: it is a whole column."""
    found = dict[str, str]()
    for number in np.unique(records["part"]):
        own = records[records["part"] == number]
        rows = own["row"].astype(np.int64)
        with store.parquet(Layout.article_part(snapshot.info.parts[number].name)) as file:
            articles = read_range(file, int(rows.min()), int(rows.max()) + 1, ["doc_id", "title"])
        shown = articles.take(pa.array(rows - rows.min())).to_pylist()
        for pmid, article in zip(own["pmid"], shown, strict=True):
            found[article["doc_id"] or str(pmid)] = article["title"]
    return found
