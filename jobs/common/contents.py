"""All that a store holds, for those who clean it or copy it."""

import datetime
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain

from jobs.common.store import read_current, read_version, snapshots, unreadable_versions, versions
from retrieval.files.checked import read_document
from retrieval.operate.garbage import Contents, Entry
from retrieval.train.pairs.pair_sets import read_pair_set
from schemas.errors import StoreError
from schemas.layout import FileKind, Layout, key_of, kind_of
from schemas.manifest import Current, IndexVersion, QuantizerRecord
from schemas.store import Store, Stored
from schemas.training_report import TrainedRun


def contents_of(store: Store) -> Contents:
    """Return what the store holds now."""
    current, made = read_current(store), versions(store)
    entries = list(_entries(store))
    records = [e for e in entries if e.kind == "quantizer records"]
    runs = [e for e in entries if e.kind == "training runs"]
    pairs = [e for e in entries if e.kind == "pairs"]
    spaces = {f"{v.fingerprint}/{v.selection}" for v in [*made, *_being_removed(store, current)]}
    return Contents(
        entries=list(_since_made(entries, made, store.now())),
        current=current,
        versions=made,
        unreadable=unreadable_versions(store),
        spaces=frozenset(spaces),
        snapshots={snapshot.id: snapshot.info for snapshot in snapshots(store)},
        quantizers={r.name: read_document(store, r.key, QuantizerRecord, "quantizer record").sha256 for r in records},
        trained=frozenset(model for r in runs for model in read_document(store, r.key, TrainedRun, "a run").models),
        paired=frozenset(read_pair_set(store, e.name).snapshot for e in pairs),
    )


def _being_removed(store: Store, current: Current | None) -> Iterator[IndexVersion]:
    """Yield the manifests of versions that a run that was stopped did not come to remove."""
    for name in current.removing if current else ():
        with suppress(StoreError):
            yield read_version(store, name)


def _since_made(entries: list[Entry], made: list[IndexVersion], now: int) -> Iterator[Entry]:
    """Yield the entries; manifests say when they were made, which the files of a copied store do not."""
    ages = {v.id: now / 1e9 - datetime.datetime.fromisoformat(v.created).timestamp() for v in made}
    for entry in entries:
        made_ago = ages.get(entry.name, entry.age) if entry.kind == "versions" else entry.age
        yield entry._replace(age=min(entry.age, made_ago))


def _entries(store: Store) -> Iterator[Entry]:
    """Yield what is written once, and what processes that died left of what they were writing."""
    now, found = store.now(), defaultdict[tuple[FileKind, str], list[Stored]](list)
    for one in store.entries(""):
        if (of := kind_of(one.key)) is not None:
            found[of].append(one)
    for one in chain(store.unfinished(), store.entries(Layout.probe.folder)):
        found["temporary", one.key].append(one)
    for (kind, name), objects in found.items():
        age = (now - max(one.modified for one in objects)) / 1e9
        yield Entry(kind, name, key_of(kind, name), sum(one.bytes for one in objects), age)
