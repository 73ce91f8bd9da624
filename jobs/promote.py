"""Make a version CURRENT: the one atomic step by which a build is served."""

from typing import Annotated

from jobs.common.options import Option
from jobs.common.store import read_current, read_version, swap_current, versions
from schemas.config import Config
from schemas.errors import StoreError
from schemas.layout import Layout
from schemas.manifest import Current
from schemas.report import PromoteReport

VERSION = Option("default: the newest that was not rolled back from", place=True, nargs="?")


def run(config: Config, *, version: Annotated[str | None, VERSION] = None) -> PromoteReport:
    """Promote the version that is named, or the newest.

    Raises:
        StoreError: there is none, or somebody else promoted one meanwhile.
    """
    layout = Layout(config.store)
    current = read_current(layout)
    previous, withdrawn = (current.version, current.withdrawn) if current else (None, ())
    wanted = [read_version(layout, version)] if version else [v for v in versions(layout) if v.id not in withdrawn]
    if not wanted:
        raise StoreError(f"the store {layout.root} has no version to promote; run pubray index first")
    chosen = wanted[-1].id
    if chosen == previous:
        return PromoteReport(version=chosen, previous=previous, promoted=False)
    promoted = Current(
        version=chosen,
        epoch=current.epoch + 1 if current else 1,
        history=(*current.history, current.version) if current else (),
        withdrawn=tuple(v for v in withdrawn if v != chosen),
    )
    swap_current(layout, current, promoted)
    return PromoteReport(version=chosen, previous=previous, promoted=True)


def show(report: PromoteReport) -> str:
    before = f", before it {report.previous}" if report.previous else ""
    return f"CURRENT is {report.version}" + (before if report.promoted else ", as it was")
