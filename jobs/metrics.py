"""What a store says of itself to Prometheus: printed, or written to a file for node_exporter's textfile collector."""

from typing import Annotated

from actors.store.stores import open_store
from jobs.common.options import Option
from retrieval.files.atomic import write_file
from retrieval.operate.store_metrics import exposition, store_metrics
from schemas.config import Config
from schemas.report import MetricsReport

FILE = Option("a *.prom of node_exporter's textfile collector; default: print them", place=True, nargs="?")


def run(config: Config, *, file: Annotated[str | None, FILE] = None) -> MetricsReport:
    """Return the metrics of the store; a file is written whole, so that nobody reads half of it.

    Raises:
        StoreError: the store cannot be read, or the file not written.
    """
    store = open_store(config)
    text = exposition(store_metrics(store, config.index))
    if file:
        write_file(file, text.encode())
    return MetricsReport(store=store.root, file=file, text=text)


def show(report: MetricsReport) -> str:
    return f"metrics of {report.store} are in {report.file}" if report.file else report.text.rstrip("\n")
