"""Go back to the version that was served before CURRENT, and withdraw the one that was."""

from pathlib import Path

from jobs.common.store import read_current, swap_current
from schemas.config import Config
from schemas.errors import StoreError
from schemas.layout import Layout
from schemas.manifest import Current
from schemas.report import RollbackReport


def run(config: Config) -> RollbackReport:
    """Move CURRENT back by one.

    Raises:
        StoreError: there is nothing before it.
    """
    layout = Layout(config.store)
    current = read_current(layout)
    # A version that was promoted twice is in its own history; withdrawn now, it is no way back. Old ones gc removed.
    there = (v for v in current.history if Path(layout.version(v)).exists()) if current else ()
    history = [v for v in there if current and v != current.version]
    if current is None or not history:
        raise StoreError(f"the store {layout.root} has no version before CURRENT; nothing was changed")
    *earlier, previous = history
    back = Current(
        version=previous,
        epoch=current.epoch + 1,
        history=tuple(earlier),
        withdrawn=(*current.withdrawn, current.version),
    )
    swap_current(layout, current, back)
    return RollbackReport(version=previous, withdrawn=current.version)


def show(report: RollbackReport) -> str:
    return f"CURRENT is {report.version}; {report.withdrawn} is withdrawn, and promoted again only by name"
