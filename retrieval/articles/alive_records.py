"""The rules of PubMed's updates, applied to many records at once.

One record at a time they read: a deletion removes what is alive under its PMID; a record replaces it whole, unless it
is of a lower version, or says just what is alive already; a record that cannot be used removes it. Everything here
gives what such a replay in file order gives, so it does not matter how records are spread over files.
(https://www.nlm.nih.gov/databases/download/pubmed_medline_documentation.html)
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.arrays import Mask, Pmids, RowNumbers
from schemas.snapshot import SNAPSHOT_SCHEMA

KEY_FIELDS = [(field.name, field.type.to_pandas_dtype()) for field in SNAPSHOT_SCHEMA]
STATE = np.dtype([*KEY_FIELDS, ("alive", "?")])
"""What is known under one PMID; where it is not alive, only `pmid` counts."""
ROWS = np.dtype([*KEY_FIELDS, ("deleted", "?"), ("unusable", "?")])
"""One row of an article part, without its texts: 46 bytes."""

Records = NDArray[np.void]
"""Structured arrays of `STATE` or `ROWS`."""


def empty_state(pmids: Pmids) -> Records:
    """Return the state (n,) of PMIDs, sorted and each once, of which nothing is alive."""
    state = np.zeros(len(pmids), STATE)
    state["pmid"] = pmids
    return state


def records_of(table: pa.Table, rows: RowNumbers, kinds: np.dtype[np.void]) -> Records:
    """Return some rows of a table as records; fields that are no columns of it are 0."""
    records = np.zeros(len(rows), kinds)
    for name in table.column_names:
        records[name] = table[name].to_numpy()[rows]
    return records


def replay(state: Records, rows: Records) -> int:
    """Apply rows, in file order, to the state of their PMIDs (and perhaps others), in place.

    Return how many deletions found nothing alive.
    """
    unknown_deletions = 0
    slots = np.searchsorted(state["pmid"], rows["pmid"])
    for turn in _turns(slots):
        slot = slots[turn]
        alive, deleted, unusable = state["alive"][slot], rows["deleted"][turn], rows["unusable"][turn]
        outdated = alive & (rows["version"][turn] < state["version"][slot])
        repeated = alive & (rows["record_hash"][turn] == state["record_hash"][slot])
        unknown_deletions += int((deleted & ~alive).sum())
        state["alive"][slot[deleted | (unusable & ~outdated)]] = False
        chosen = ~(deleted | unusable | outdated | repeated)
        for name, _ in KEY_FIELDS:
            state[name][slot[chosen]] = rows[name][turn[chosen]]
        state["alive"][slot[chosen]] = True
    return unknown_deletions


def _turns(slots: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Split positions so that no slot comes twice in one piece: all the first of their slot, all the second, …"""
    order = np.argsort(slots, kind="stable")
    places = np.arange(len(order))
    begins = np.append(True, np.diff(slots[order]) != 0)[: len(order)]
    turn = places - np.maximum.accumulate(np.where(begins, places, 0))
    by_turn = order[np.argsort(turn, kind="stable")]
    yield from np.split(by_turn, np.cumsum(np.bincount(turn))[:-1]) if len(order) else ()


def changes(before: Records, after: Records) -> dict[str, Mask]:
    """Return what became of PMIDs (n,), by kind, given their states before and after in the same order."""
    was, is_ = before["alive"], after["alive"]
    both = was & is_
    same_text = before["text_hash"] == after["text_hash"]
    same = before["record_hash"] == after["record_hash"]
    return {
        "added": is_ & ~was,
        "revised_text": both & ~same_text,
        "revised_metadata": both & same_text & ~same,
        "reissued": both & same_text & same,
        "deleted": was & ~is_,
    }
