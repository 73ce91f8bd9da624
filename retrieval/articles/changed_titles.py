"""Some of what changed between two snapshots, for a person to look at: ids and titles."""

from typing import Any

import numpy as np

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
            found[kind] = dict(_id_and_title(store, snapshot, record) for record in chosen)
    return found


def _id_and_title(store: Store, snapshot: Snapshot, record: Records) -> tuple[str, str]:
    row = int(record["row"])
    with store.parquet(Layout.article_part(snapshot.info.parts[record["part"]].name)) as file:
        article: dict[str, Any] = read_range(file, row, row + 1, ["doc_id", "title"]).to_pylist()[0]
    return article["doc_id"] or str(record["pmid"]), article["title"]
