"""Go back to the version that was served before CURRENT, and withdraw the one that was."""

from pathlib import Path

from jobs.common.store import compacted_id, read_current, read_version, swap_current
from schemas.config import Config
from schemas.errors import StoreError
from schemas.layout import Layout
from schemas.manifest import Current
from schemas.report import RollbackReport


def run(config: Config) -> RollbackReport:
    """Move CURRENT back to the last version that holds other rows; withdraw it, and what is passed on the way.

    Raises:
        StoreError: there is nothing before it.
    """
    layout = Layout(config.store)
    current = read_current(layout)
    # Old ones gc removed.
    history = [v for v in current.history if Path(layout.version(v)).exists()] if current else []
    rows = _rows_of(layout, current.version) if current else None
    passed: list[str] = []
    while history and _rows_of(layout, history[-1]) == rows:
        passed.append(history.pop())
    if current is None or not history:
        raise StoreError(f"the store {layout.root} has no other version before CURRENT; nothing was changed")
    *earlier, previous = history
    back = Current(
        version=previous,
        epoch=current.epoch + 1,
        history=tuple(v for v in earlier if v not in (current.version, *passed)),
        withdrawn=tuple(dict.fromkeys((*current.withdrawn, *passed, current.version))),
    )
    swap_current(layout, current, back)
    return RollbackReport(version=previous, withdrawn=current.version)


def _rows_of(layout: Layout, version: str) -> str:
    """Return the version whose rows this one has: itself, or that from which `compact` made it."""
    found = read_version(layout, version)
    while found.parent and found.id == compacted_id(found.parent) and Path(layout.version(found.parent)).exists():
        found = read_version(layout, found.parent)
    return found.parent if found.parent and found.id == compacted_id(found.parent) else found.id


def show(report: RollbackReport) -> str:
    return f"CURRENT is {report.version}; {report.withdrawn} is withdrawn, and promoted again only by name"
