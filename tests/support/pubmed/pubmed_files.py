"""Real records for the tests of ingest, in files of a few hundred; what is alive in a store."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from actors.fetch.embedded_wheels import embedded_folder
from actors.store.local_store import LocalStore
from jobs import ingest
from jobs.common.config import load_config
from jobs.common.store import ingested
from retrieval.ingest.made_files import made_file, raw_records, write_source_file
from schemas.config import Config
from schemas.layout import Layout
from schemas.report import IngestReport

BASELINE = "pubmed20n0014"
UPDATE = "pubmed21n1298"


class Alive(NamedTuple):
    """An article of a snapshot, and in which article part it is."""

    part: str
    version: int
    title: str
    retracted: bool
    keywords: list[str]


def real_records(cache: Path, name: str, count: int) -> list[tuple[int, bytes]]:
    """The first records of an embedded file, with their PMIDs."""
    return list(islice(raw_records(embedded_folder("pubmed", cache) / f"{name}.xml.gz"), count))


def cut(path: Path, records: Iterable[tuple[int, bytes]], deleted: Iterable[int] = ()) -> Path:
    """Write a file of real records, and its .md5."""
    return write_source_file(path, made_file((record for _, record in records), list(deleted), BASELINE))


def configured(store: Path, *settings: str) -> Config:
    return load_config(None, settings, {"PUBRAY_STORE": str(store)})


def ingest_into(config: Config, source: object, *, baseline: bool = False) -> IngestReport:
    return ingest.run(config, source=str(source), baseline=baseline)


def counts(report: IngestReport) -> dict[str, int]:
    """What a report says that became of PMIDs; zeros are left out."""
    names = ("added", "revised_text", "revised_metadata", "reissued", "deleted", "unchanged", "unknown_deletions")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def alive(config: Config) -> dict[int, Alive]:
    """What the newest snapshot of a store holds."""
    objects = LocalStore(config.store)
    snapshot = ingested(objects)
    columns = ["pmid", *Alive._fields[1:]]
    parts = [
        (ref.name, pq.read_table(objects.path(Layout.article_part(ref.name)), columns=columns).to_pylist())
        for ref in snapshot.info.parts
    ]
    found: dict[int, Alive] = {}
    for key in pq.read_table(objects.path(snapshot.key), columns=["pmid", "part", "row"]).to_pylist():
        name, rows = parts[key["part"]]
        row = dict(rows[key["row"]])
        assert row.pop("pmid") == key["pmid"]
        assert key["pmid"] not in found
        found[key["pmid"]] = Alive(name, **row)
    assert len(found) == snapshot.info.counts.alive
    return found


def files(folder: str | Path) -> dict[str, int]:
    """The files below a folder but for the writer's lock, and when each was written."""
    found = [path for path in Path(folder).rglob("*") if path.is_file() and path.name != ".writer.lock"]
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in found}
