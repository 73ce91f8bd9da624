"""Making a snapshot from the previous one and the new article parts, in a memory that does not grow with them.

PMIDs are split into classes (pmid modulo their number) of some `CLASS_ROWS` new rows, which are replayed one after the
other. Rows of 46 bytes, states before and after of 37 each, and sorting them make 200 bytes a row (measured by
benchmarks/ingest/snapshot_night.py), so 1.6 GB at most. What is kept over all classes is one byte per row, of the
previous snapshot and of the new parts.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from retrieval.articles.alive_records import KEY_FIELDS, ROWS, Records, changes, empty_state, records_of, replay
from retrieval.articles.pmids import PmidClass, distinct, find_among, pmid_classes
from retrieval.articles.snapshot import Snapshot, key_groups
from retrieval.files.parquet import read_range, regrouped
from schemas.arrays import Mask, Pmids, RowNumbers
from schemas.layout import Layout
from schemas.snapshot import INFO_KEY, SNAPSHOT_SCHEMA, Lineage, PartFile, PartRef, SnapshotCounts, SnapshotInfo
from schemas.store import Store

ROW_GROUP = 65_536
PART_COLUMNS = ("pmid", "version", "deleted", "unusable", "text_hash", "record_hash")
"""What is read of an article part."""
# Hashes do not compress, and the others hardly better than as differences: a quarter of the time that zstd takes.
_ENCODING: dict[str, Any] = {
    "compression": "none",
    "use_dictionary": ["part", "version"],
    "column_encoding": {"pmid": "DELTA_BINARY_PACKED", "row": "DELTA_BINARY_PACKED"},
    "write_page_checksum": True,
}
_SIEVE = 1 << 22
"""Bytes of a table that says which PMIDs, modulo its size, may be wanted; it stays in the processor's cache."""


class SnapshotPlan(NamedTuple):
    """What a snapshot is to be made of."""

    lineage: Lineage
    parts: tuple[PartRef, ...]
    previous: Snapshot | None
    left_out: tuple[str, ...] = ()
    mesh_tree: str | None = None
    part_files: Mapping[str, PartFile] = MappingProxyType({})

    @property
    def id(self) -> str:
        """That of the previous snapshot if nothing is new, else 16 hex digits over that and what is planned."""
        if self.previous:
            info = self.previous.info
            of_previous = SnapshotPlan(info.lineage, info.parts, self.previous, info.left_out, info.mesh_tree)
            if of_previous == self._replace(part_files=of_previous.part_files):
                return self.previous.id
        before = self.previous.id if self.previous else None
        content = [before, self.lineage.baseline, [(part.name, part.digest) for part in self.parts], self.left_out]
        content += [self.mesh_tree] if self.mesh_tree else []
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    @property
    def base(self) -> Snapshot | None:
        """The previous snapshot, if the new parts follow after its own and its articles live on."""
        if self.previous is None or self.previous.info.lineage != self.lineage:
            return None
        known = self.previous.info.parts
        return self.previous if self.parts[: len(known)] == known else None


def write_snapshot(store: Store, plan: SnapshotPlan, accept: Callable[[SnapshotCounts], None]) -> SnapshotInfo:
    """Make the snapshot of a plan.

    accept: is given the counts before anything is visible, and raises if they must not be. IntegrityError for a
    snapshot or a part that is truncated, or of which a page flipped.
    """
    update = _Update(store, plan)
    counts = update.replay()
    accept(counts)
    before = plan.previous
    info = SnapshotInfo(
        lineage=plan.lineage,
        parts=plan.parts,
        previous=before.id if before else None,
        counts=counts,
        sequence=before.info.sequence + 1 if before else 1,
        left_out=plan.left_out,
        mesh_tree=plan.mesh_tree,
        part_files=dict(plan.part_files),
    )
    schema = SNAPSHOT_SCHEMA.with_metadata({INFO_KEY: info.model_dump_json()})
    batches = chain.from_iterable(table.to_batches() for table in update.tables())
    with (
        store.incoming(Layout.snapshot(plan.id), again=True) as path,
        pq.ParquetWriter(path, schema, **_ENCODING) as writer,
    ):
        for group in regrouped(batches, ROW_GROUP):
            writer.write_table(group.replace_schema_metadata(schema.metadata), row_group_size=ROW_GROUP)
    return info


class _NewPart(NamedTuple):
    """An article part that the base does not have."""

    store: Store
    name: str
    number: int
    """Its place among all parts."""
    alive: Mask
    """Which of its rows are alive."""

    def rows(self, class_: PmidClass) -> Records:
        table = self._read(PART_COLUMNS)
        chosen = np.flatnonzero(class_.holds(table["pmid"].to_numpy()))
        rows = records_of(table, chosen, ROWS)
        rows["part"], rows["row"] = self.number, chosen
        return rows

    def table(self) -> pa.Table:
        rows = np.flatnonzero(self.alive).astype(np.int32)
        names = ["pmid", "version", "text_hash", "record_hash"]
        found = self._read(names).take(rows)
        columns = {"part": np.full(len(rows), self.number, np.int32), "row": rows, **{n: found[n] for n in names}}
        return pa.table([columns[name] for name in SNAPSHOT_SCHEMA.names], schema=SNAPSHOT_SCHEMA)

    def _read(self, columns: Sequence[str]) -> pa.Table:
        with self.store.parquet(Layout.article_part(self.name)) as file:
            return read_range(file, 0, len(self.alive), columns)


class _Update:
    """The way from the previous snapshot to that of a plan: first replayed, then written."""

    def __init__(self, store: Store, plan: SnapshotPlan) -> None:
        self._store, self._plan, self._base, self._previous = store, plan, plan.base, plan.previous
        self._first = len(self._base.info.parts) if self._base else 0
        self._new = [
            _NewPart(store, ref.name, number, np.zeros(ref.rows, np.bool_))
            for number, ref in enumerate(plan.parts)
            if number >= self._first
        ]
        self._old = plan.previous.info.counts.alive if plan.previous else 0
        self._kept = np.ones(self._old if self._base else 0, np.bool_)

    def replay(self) -> SnapshotCounts:
        """Find out which rows of the base and of the new parts are alive."""
        new_rows = sum(len(part.alive) for part in self._new)
        counted = Counter[str]()
        for class_ in pmid_classes(max(new_rows, 0 if self._base else self._old)):
            counted.update(self._replay_class(class_))
        counts = {name: counted[name] for name in SnapshotCounts.model_fields}
        counts["alive"] = self._old + counts["added"] - counts["deleted"]
        if self._base:
            counts["unchanged"] = self._old - counted["touched"]
        elif self._previous and self._previous.info.lineage == self._plan.lineage:
            # Replayed from the beginning, because a file came late: not all of these were issued again.
            counts["unchanged"], counts["reissued"] = counts["reissued"], 0
        return SnapshotCounts(**counts)

    def tables(self) -> Iterator[pa.Table]:
        begin = 0
        for group in key_groups(self._store, self._base, SNAPSHOT_SCHEMA.names):
            yield group.filter(pa.array(self._kept[begin : begin + len(group)]))
            begin += len(group)
        for part in self._new:
            yield part.table()

    def _replay_class(self, class_: PmidClass) -> dict[str, int]:
        rows = np.concatenate([np.empty(0, ROWS), *(part.rows(class_) for part in self._new)])
        pmids = [rows["pmid"]]
        if not self._base:
            groups = (group["pmid"].to_numpy() for group in key_groups(self._store, self._previous, ["pmid"]))
            pmids += [found[class_.holds(found)] for found in groups]
        before, places = find_states(self._store, self._previous, distinct(np.concatenate(pmids)))
        after = before.copy() if self._base else empty_state(before["pmid"])
        unknown_deletions = replay(after, rows)
        if self._base:
            stays = after["alive"] & (after["part"] < self._first)
            self._kept[places[before["alive"] & ~stays]] = False
        _mark_alive(self._new, after)
        counts = {kind: int(found.sum()) for kind, found in changes(before, after).items()}
        return {"unknown_deletions": unknown_deletions, "touched": int(before["alive"].sum()), **counts}


def find_states(store: Store, snapshot: Snapshot | None, pmids: Pmids) -> tuple[Records, RowNumbers]:
    """Return the states (n,) of some PMIDs, sorted, in a snapshot, and the places (n,) of their rows in it."""
    states, places, begin = empty_state(pmids), np.zeros(len(pmids), np.int64), 0
    # Few of a snapshot's PMIDs are those of one night: most fall through the sieve, which is faster than a search.
    sieve = np.zeros(_SIEVE, np.bool_)
    sieve[pmids % _SIEVE] = True
    for group in key_groups(store, snapshot, SNAPSHOT_SCHEMA.names):
        theirs = group["pmid"].to_numpy()
        rows = np.flatnonzero(sieve[theirs % _SIEVE])
        found, slots = find_among(pmids, theirs[rows])
        rows = rows[found]
        for name, _ in KEY_FIELDS:
            states[name][slots] = group[name].to_numpy()[rows]
        states["alive"][slots] = True
        places[slots] = begin + rows
        begin += len(group)
    return states, places


def _mark_alive(new: Sequence[_NewPart], state: Records) -> None:
    alive = np.flatnonzero(state["alive"])
    alive = alive[np.argsort(state["part"][alive], kind="stable")]
    parts, rows = state["part"][alive], state["row"][alive]
    for part in new:
        begin, end = np.searchsorted(parts, [part.number, part.number + 1])
        part.alive[rows[begin:end]] = True
