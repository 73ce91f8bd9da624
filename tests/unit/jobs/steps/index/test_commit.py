"""What is reported of a version."""

from pathlib import Path

from actors.store.local_store import LocalStore
from jobs.steps.index.commit import report_of, show_version
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
        *("articles", "segments", "dead_rows", "lists", "nprobe", "bytes", "recall_at_10", "recall_at_100", "imbalance")
    ]
