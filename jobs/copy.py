"""Copy a store, or one version of it, to another store: backup, restore, moving from a folder to a bucket and back.

What is there already is not copied again, so a run that was stopped is gone on with; what is there and is another is
refused. Every file that has a digest is read against it before it counts. Manifests come last, and CURRENT behind them,
unless the target has one of its own.
"""

import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated

from actors.fetch.stored_models import read_model
from actors.store.stores import store_at
from jobs.common.config import store_root
from jobs.common.console import Progress, megabytes
from jobs.common.contents import contents_of
from jobs.common.options import Option
from jobs.common.store import read_current, read_version, version_names, write_current
from retrieval.files.checked import check_file, read_named, write_bytes
from retrieval.index.segment import read_manifest
from retrieval.operate.garbage import Contents, Entry, needed_by
from schemas.config import Config
from schemas.errors import StoreError, UsageError
from schemas.layout import FOLDERS
from schemas.manifest import FileDigest
from schemas.report import CopyReport
from schemas.store import Store

LAST = ("snapshots", "versions")
"""In this order, behind what they name."""
NAMED = ("quantizers", "truths", "tombstones", "mesh trees")
"""Kinds whose names are the sha256 of their contents."""
MADE = ("segments", "models")
"""Kinds that are folders."""
THREADS = 8


def run(
    config: Config,
    *,
    source: Annotated[str, Option("a folder or s3://bucket/prefix", place=True, metavar="FROM")],
    target: Annotated[str, Option("a folder or s3://bucket/prefix", place=True, metavar="TO")],
    version: Annotated[str | None, Option("only this one, with what a night on it needs", metavar="VERSION")] = None,
) -> CopyReport:
    """Copy what the target lacks.

    Raises:
        UsageError: both are one store.
        StoreError: there is no such store or version, or an object is not what it was, or went meanwhile, or the target
            has another of its name.
    """
    origin, goal = (store_at(store_root(root), config) for root in (source, target))
    if origin.root == goal.root:
        raise UsageError(f"{source} and {target} are one store; name another target")
    contents = contents_of(origin)
    entries = _wanted(contents, origin, version)
    if not entries:
        raise StoreError(f"the store {origin.root} holds nothing to copy")
    progress = Progress("copy", len(entries), "objects", "bytes")
    sizes = list[int]()
    for kind in (None, *LAST):
        of_kind = [entry for entry in entries if (entry.kind if entry.kind in LAST else None) == kind]
        with ThreadPoolExecutor(THREADS) as pool:
            for size in pool.map(partial(_copy, origin, goal), of_kind):
                sizes.append(size)
                progress.add(1, size)
    progress.finish()
    if version is None and contents.current and read_current(goal) is None:
        write_current(goal, None, contents.current.model_copy(update={"writer": None, "removing": ()}))
    current = read_current(goal)
    return CopyReport(
        source=origin.root,
        target=goal.root,
        versions=tuple(version_names(goal)),
        objects=len(sizes),
        copied=sum(size > 0 for size in sizes),
        bytes=sum(sizes),
        current=current.version if current else None,
    )


def show(report: CopyReport) -> str:
    served = f"CURRENT is {report.current}" if report.current else "it has no CURRENT: pubray promote VERSION"
    new = f"{report.copied:,} of {report.objects:,} objects were not there, {megabytes(report.bytes)}"
    return f"{new}; {report.target} holds {len(report.versions)} versions, {served}"


def _wanted(contents: Contents, store: Store, version: str | None) -> list[Entry]:
    if version is not None:
        needed = needed_by(contents, read_version(store, version))
        return [entry for entry in contents.entries if entry.name in needed.get(entry.kind, ())]
    removing = contents.current.removing if contents.current else ()
    left = {
        *(("versions", name) for name in removing),
        # What no version names may not be whole.
        *((kind, entry.name) for kind in MADE for entry in contents.entries),
    }
    left -= {("segments", segment.id) for of in contents.versions for segment in of.segments}
    left -= {("models", model) for of in contents.versions for model in of.models.values()}
    lasting = (entry for entry in contents.entries if entry.kind not in ("worker shards", "temporary"))
    return [entry for entry in lasting if (entry.kind, entry.name) not in left]


def _copy(origin: Store, goal: Store, entry: Entry) -> int:
    """Copy an object or a folder; return its bytes, 0 if it was there."""
    if entry.kind in MADE:
        return _copy_folder(origin, goal, entry)
    if (there := goal.facts(entry.key)) is not None:
        if there.bytes != entry.bytes or (entry.kind == "versions" and goal.read(entry.key) != origin.read(entry.key)):
            raise StoreError(
                f"{goal.name(entry.key)} is another than {origin.name(entry.key)}; copy to an empty place, or remove it"
            )
        return 0
    if entry.kind in NAMED:
        write_bytes(goal, entry.key, read_named(origin, lambda _: entry.key, entry.name, entry.kind))
        return entry.bytes
    try:
        path = origin.local(entry.key)
        with goal.incoming(entry.key) as to:
            shutil.copyfile(path, to)
    except FileNotFoundError:
        raise _gone(origin, entry.key) from None
    return entry.bytes


def _copy_folder(origin: Store, goal: Store, entry: Entry) -> int:
    folder, last, files = entry.key, FOLDERS[entry.kind], _files(origin, entry)
    if goal.facts(f"{folder}/{last}") is not None:
        if _files(goal, entry) != files:
            raise StoreError(
                f"{goal.name(folder)} is another than {origin.name(folder)}; copy to an empty place, or remove it"
            )
        return 0

    def bring(name: str, digest: FileDigest) -> int:
        shutil.copyfile(origin.local(f"{folder}/{name}", digest), to / name)
        check_file(to / name, digest, whole=True)
        return digest.bytes

    with goal.incoming(folder, last=last) as to:
        to.mkdir()
        size = sum(bring(name, digest) for name, digest in files.items())
        if (content := origin.read(f"{folder}/{last}")) is None:
            raise _gone(origin, folder)
        (to / last).write_bytes(content)
    return size


def _files(store: Store, entry: Entry) -> dict[str, FileDigest]:
    """Return the files of a folder by its manifest."""
    return read_manifest(store, entry.key).files if entry.kind == "segments" else read_model(store, entry.name).files


def _gone(store: Store, key: str) -> StoreError:
    return StoreError(f"{store.name(key)} went while it was to be copied (by pubray gc?); run it again")
