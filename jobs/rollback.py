"""Go back to the version that was served before CURRENT, and withdraw the one that was."""

from collections.abc import Mapping

from actors.store.stores import open_store
from jobs.common.store import compacted_id, read_current, swap_current, versions
from jobs.steps.index.version_files import check_answers
from schemas.config import Config
from schemas.errors import MovedError, StoreError
from schemas.manifest import Current, IndexVersion
from schemas.report import RollbackReport
from schemas.store import Store


def run(config: Config) -> RollbackReport:
    """Move CURRENT back to the last version that holds other rows; withdraw it, and what is passed on the way.

    Raises:
        StoreError: there is nothing before it, or that does not answer.
    """
    store = open_store(config)
    while True:
        current = read_current(store)
        try:
            return _from(store, current)
        except MovedError:
            now = read_current(store)
            if now is None or current is None or not now.serves_as(current):
                raise


def _from(store: Store, current: Current | None) -> RollbackReport:
    served = current.version if current else None
    there = {version.id: version for version in versions(store)}
    history = [v for v in current.history if v in there] if current else []  # old ones gc removed
    rows = _rows_of(there, served) if served else None
    passed: list[str] = []
    while history and _rows_of(there, history[-1]) == rows:
        passed.append(history.pop())
    if current is None or served is None or not history:
        raise StoreError(f"the store {store.root} has no other version before CURRENT; nothing was changed")
    *earlier, previous = history
    check_answers(store, there[previous])
    keys = [there[v].rows_key for v in (*passed, served) if v in there]
    changes = {
        "version": previous,
        "epoch": current.epoch + 1,
        "history": tuple(v for v in earlier if v not in (served, *passed)),
        "withdrawn": tuple(dict.fromkeys((*current.withdrawn, *passed, served))),
        "withdrawn_rows": tuple(dict.fromkeys((*current.withdrawn_rows, *keys))),
    }
    swap_current(store, current, current.model_copy(update=changes))
    return RollbackReport(version=previous, withdrawn=served)


def _rows_of(there: Mapping[str, IndexVersion], version: str) -> str:
    """Return the version whose rows one has: itself, or that from which `compact` made it."""
    while (found := there.get(version)) and found.parent and version == compacted_id(found.parent):
        version = found.parent
    return version


def show(report: RollbackReport) -> str:
    return f"CURRENT is {report.version}; {report.withdrawn} is withdrawn, and promoted again only by name"
