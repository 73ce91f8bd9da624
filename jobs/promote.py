"""Make a version CURRENT: the one atomic step by which a build is served."""

from contextlib import suppress
from typing import Annotated

from actors.store.stores import open_store
from jobs.common.options import Option
from jobs.common.store import read_current, read_version, swap_current, versions
from jobs.steps.index.file_checks import check_files
from retrieval.index.gates import gates
from schemas.config import Config
from schemas.errors import CheckError, MovedError, StoreError
from schemas.manifest import Current, IndexVersion
from schemas.report import PromoteReport
from schemas.store import Store

VERSION = Option("default: the newest that was built on CURRENT, and not rolled back from", place=True, nargs="?")


def run(config: Config, *, version: Annotated[str | None, VERSION] = None) -> PromoteReport:
    """Promote the version that is named, or the newest of those that were built on CURRENT.

    Raises:
        StoreError: there is none, it does not answer, or somebody else promoted one meanwhile.
        CheckError: it did not pass its gates, and was not named.
    """
    store = open_store(config)
    current = read_current(store)
    served = current.version if current else None
    if version:
        return _promote(store, current, read_version(store, version))
    gone = withdrawn(store)
    made = [v for v in versions(store) if v.id not in gone]
    if not made:
        raise StoreError(f"the store {store.root} has no version to promote; run pubray index first")
    chosen = next((v for v in reversed(made) if v.parent == served), made[-1])
    if chosen.id != served and (failed := [gate.why for gate in gates(chosen, config.index, made) if not gate.passed]):
        raise CheckError(f"{'; '.join(filter(None, failed))}. It is promoted by name alone")
    if chosen.parent != served and chosen.id != served:
        raise StoreError(
            f"version {chosen.id} was built on {chosen.parent or 'nothing'}, CURRENT is {served}; run pubray index, or "
            "promote it by name"
        )
    return _promote(store, current, chosen)


def withdrawn(store: Store) -> set[str]:
    """Return the versions that somebody rolled back from, and others with the same rows unless CURRENT has those."""
    if (current := read_current(store)) is None:
        return set()
    keys = {version.id: version.rows_key for version in versions(store)}
    # What an earlier pubray rolled back from is known by its manifest alone.
    rows = {*current.withdrawn_rows, *(keys[v] for v in current.withdrawn if v in keys)} - {
        keys.get(current.version or "")
    }
    return {*current.withdrawn, *(v for v, key in keys.items() if key in rows)} - {current.version or ""}


def over_its_parent(config: Config, version: str, begun: Current | None) -> PromoteReport:
    """Promote what a night has built, or hold it where somebody has moved CURRENT meanwhile.

    begun: CURRENT as the night found it. It may have built on another, if that was moved before it came so far.
    """
    store = open_store(config)
    made, current = read_version(store, version), read_current(store)
    served = current.version if current else None
    moved = begun is not None and not (current and current.serves_as(begun))
    try:
        if served in (made.parent, made.id) and not moved:
            return _promote(store, current, made)
    except MovedError:
        pass
    return PromoteReport(version=version, previous=served, promoted=False, held=True)


def _promote(store: Store, current: Current | None, version: IndexVersion) -> PromoteReport:
    before, chosen = current or Current(version=None, epoch=0), version.id
    if chosen in before.removing:
        raise StoreError(f"version {chosen} is being removed by pubray gc; promote another")
    if chosen == before.version:
        check_files(store, version)
        return PromoteReport(version=chosen, previous=chosen, promoted=False)
    # Imported here: torch, which is behind it, takes a second, and what is CURRENT already does without.
    from jobs.steps.index.version_files import check_answers

    check_answers(store, version, _served(store, before))
    changes = {
        "version": chosen,
        "epoch": before.epoch + 1,
        "history": (*before.history, *([before.version] if before.version else [])),
        "withdrawn": tuple(v for v in before.withdrawn if v != chosen),
        "withdrawn_rows": tuple(key for key in before.withdrawn_rows if key != version.rows_key),
    }
    try:
        swap_current(store, current, before.model_copy(update=changes))
    except MovedError:
        now = read_current(store)
        if now is None or not now.serves_as(before):
            raise
        return _promote(store, now, version)
    return PromoteReport(version=chosen, previous=before.version, promoted=True)


def _served(store: Store, current: Current) -> IndexVersion | None:
    """Return the version that is served, if its manifest can be read."""
    with suppress(StoreError):
        return read_version(store, current.version) if current.version else None
    return None


def show(report: PromoteReport) -> str:
    before = f", before it {report.previous}" if report.previous else ""
    return f"CURRENT is {report.version}" + (before if report.promoted else ", as it was")
