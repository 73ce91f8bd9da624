"""Whether the files of a version are there, by their lengths and first bytes."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from schemas.errors import IntegrityError
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.store import Store

THREADS = 16
"""Files that are looked at at a time: their server may be far."""


def check_files(store: Store, version: IndexVersion) -> None:
    """Look at each file that a search of a version reads.

    Raises:
        StoreError: one is missing, not as long as it was, or begins otherwise.
    """
    files = {f"{Layout.segment(s.id)}/{name}": digest for s in version.segments for name, digest in s.files.items()}
    named = [Layout.quantizer(version.quantizer), Layout.truth(version.checks.truth)]
    named += [Layout.tombstones(tombstones.sha256) for tombstones in version.tombstones.values()]
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(partial(_there, store), named)
        list(pool.map(store.check, files.keys(), files.values()))
        list(found)


def _there(store: Store, key: str) -> None:
    if store.facts(key) is None:
        raise IntegrityError(f"{store.name(key)}: file is missing; restore it from a copy")
