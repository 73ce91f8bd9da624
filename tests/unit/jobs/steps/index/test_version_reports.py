"""What is reported of a version."""

from pathlib import Path

from actors.store.local_store import LocalStore
from jobs.steps.index.version_reports import report_of, show_version
from retrieval.files.checked import write_bytes
from schemas.layout import Layout
from schemas.manifest import Tombstones
from schemas.report import IndexReport
from tests.support.stores.hand_made_version import write_version
from tests.support.stores.store_files import config


def test_a_version_is_told_by_its_figures(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store).model_copy(update={"tombstones": {"s0": Tombstones(sha256="x", rows=3)}})
    report = report_of(IndexReport, config(tmp_path), version, built=True)
    assert (report.version, report.built, report.segments, report.dead_rows, report.lists) == ("v1", True, 2, 3, 8)
    assert report.bytes == sum(
        file.stat().st_size for file in tmp_path.glob("segments/*/*") if file.name != "segment.json"
    )
    head, _, _, *rows = show_version(report, "done").splitlines()
    assert head == "version v1: done"
    assert [row.split()[0] for row in rows] == [
        *("articles", "segments", "dead_rows", "lists", "nprobe", "bytes", "new_bytes"),
        *("recall_at_10", "recall_at_100", "imbalance"),
    ]


def test_what_its_parent_has_is_not_new(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    parent = version.model_copy(update={"id": "v0", "segments": version.segments[:1]})
    write_bytes(store, Layout.version("v0"), parent.model_dump_json().encode())
    child = version.model_copy(update={"parent": "v0"})
    assert report_of(IndexReport, config(tmp_path), version, built=True).new_bytes == version.bytes
    assert report_of(IndexReport, config(tmp_path), child, built=True).new_bytes == version.segments[1].bytes
