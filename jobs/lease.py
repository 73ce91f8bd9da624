"""Say who writes to a store; end that, where its run is dead or must not go on.

Only in S3 this is ever needed: there a run that died is waited for until its lease expires, a minute. A run that is
broken off so cannot change CURRENT any more, whatever it still believes; what it has finished is kept.
"""

import uuid
from typing import Annotated

from actors.store.stores import open_store
from jobs.common.options import Option
from jobs.common.writer import take_over
from schemas.config import Config
from schemas.report import LeaseReport


def run(
    config: Config, *, break_off: Annotated[bool, Option("let the next run begin at once", flag="--break")] = False
) -> LeaseReport:
    """Return who writes.

    Raises:
        StoreError: it is to be broken, and the store is a folder, whose lock ends with its process.
    """
    store = open_store(config)
    writer = store.writer()
    if break_off and writer:
        store.end_writing()
        take_over(store, f"broken off, {uuid.uuid4().hex}")
    return LeaseReport(store=store.root, writer=writer, broken=bool(break_off and writer))


def show(report: LeaseReport) -> str:
    who = report.writer or "nobody"
    return (
        f"broken off: {who}; it cannot change CURRENT any more" if report.broken else f"{who} writes to {report.store}"
    )
