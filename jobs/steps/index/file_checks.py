"""Whether the files of a version are there, by their lengths and first bytes."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from schemas.errors import IntegrityError
from schemas.layout import Layout
from schemas.manifest import IndexVersion, Segment
from schemas.store import Store

THREADS = 16
"""Files that are looked at at a time: their server may be far."""


def check_files(store: Store, version: IndexVersion, served: IndexVersion | None = None) -> None:
    """Look at each file that a search of a version reads.

    served: a version that was looked at when it was promoted; of the segments that both have only the lengths are.

    Raises:
        StoreError: one is missing, not as long as it was, or begins otherwise.
    """
    looked_at = {segment.id for segment in served.segments} if served else set()
    new = [segment for segment in version.segments if segment.id not in looked_at]
    old = [segment for segment in version.segments if segment.id in looked_at]
    files = {f"{Layout.segment(s.id)}/{name}": digest for s in new for name, digest in s.files.items()}
    named = [Layout.quantizer(version.quantizer), Layout.truth(version.checks.truth)]
    named += [Layout.tombstones(tombstones.sha256) for tombstones in version.tombstones.values()]
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(partial(_there, store), named)
        list(pool.map(store.check, files.keys(), files.values()))
        list(pool.map(partial(_as_long, store), old))
        list(found)


def _as_long(store: Store, segment: Segment) -> None:
    """Refuse a segment of which a file has another length: one listing tells all of them."""
    folder = Layout.segment(segment.id)
    there = {one.key: one.bytes for one in store.entries(folder)}
    for name, digest in segment.files.items():
        if (bytes := there.get(f"{folder}/{name}")) != digest.bytes:
            told = "file is missing" if bytes is None else f"{bytes} bytes, its manifest says {digest.bytes}"
            raise IntegrityError(f"{store.name(f'{folder}/{name}')}: {told}; restore it from a copy")


def _there(store: Store, key: str) -> None:
    if store.facts(key) is None:
        raise IntegrityError(f"{store.name(key)}: file is missing; restore it from a copy")
