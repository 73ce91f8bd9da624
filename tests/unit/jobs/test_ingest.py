"""The parts of the job that need no Ray: what is missing, what is refused, and the bodies of its tasks."""

from pathlib import Path
from typing import Any

import pytest

from jobs import ingest
from jobs.common.store import newest_snapshot
from retrieval.articles.snapshot_update import SnapshotPlan
from schemas.article import Article
from schemas.errors import StoreError
from schemas.layout import Layout
from schemas.snapshot import Lineage
from tests.support.stores.store_files import add_part, add_snapshot, config


def body(task: Any) -> Any:
    """The plain function of a Ray task."""
    return task._function


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(str(tmp_path / "store"))


@pytest.fixture
def source(tmp_path: Path, layout: Layout) -> Path:
    """A source file of 7 bytes that is ingested, and its snapshot made."""
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "a.xml").write_text("content")
    add_snapshot(layout, [add_part(layout, "a", Article(1), Article(2), source_bytes=7)])
    return folder


def test_what_was_ingested_is_neither_read_nor_replayed_again(source: Path, layout: Layout) -> None:
    snapshot = newest_snapshot(layout)
    report = ingest.run(config(Path(layout.root)), source=str(source))
    assert snapshot is not None
    assert report.snapshot == snapshot.id
    assert (report.files, report.ingested, report.records, report.alive) == (1, 0, 2, 2)
    assert newest_snapshot(layout) == snapshot
    assert ingest.show(report).startswith(f"snapshot {report.snapshot} of 1 files, 0 of them new\n")


def test_a_file_that_changed_under_its_name_is_refused(source: Path, layout: Layout) -> None:
    file = source / "a.xml"
    file.write_text("other content")
    with pytest.raises(StoreError) as error:
        ingest.run(config(Path(layout.root)), source=str(file))
    assert str(error.value).startswith("a.xml: 13 bytes, but a file of this name and 7 bytes was ingested before")
    assert "\n" not in str(error.value)


def test_a_new_baseline_that_lacks_more_than_allowed_is_refused_until_it_is_confirmed(layout: Layout) -> None:
    old = add_snapshot(layout, [add_part(layout, "pubmed26n0001", *(Article(pmid) for pmid in range(1, 11)))])
    part = add_part(layout, "pubmed27n0001", *(Article(pmid) for pmid in range(3, 11)))
    plan = SnapshotPlan(Lineage(number=1, baseline=("pubmed27n0001",)), (part,), old)
    make_snapshot = body(ingest.make_snapshot)
    with pytest.raises(StoreError) as error:
        make_snapshot(layout, plan, 0.01)
    assert str(error.value).startswith("the new baseline lacks 2 of 10 articles (20.0%), allowed are 1.0%; ")
    assert str(error.value).endswith("--set ingest.max_vanished=0.201")
    assert newest_snapshot(layout) == old
    make_snapshot(layout, plan, 0.201)
    newest = newest_snapshot(layout)
    assert newest is not None
    assert (newest.id, newest.info.counts.deleted, newest.info.counts.reissued) == (plan.id, 2, 8)


def test_a_night_may_delete_what_it_likes(layout: Layout) -> None:
    parts = [add_part(layout, "pubmed26n0001", Article(1)), add_part(layout, "pubmed26n0002", Article(1, deleted=True))]
    old = add_snapshot(layout, parts[:1])
    body(ingest.make_snapshot)(layout, SnapshotPlan(old.info.lineage, tuple(parts), old), 0.0)
    newest = newest_snapshot(layout)
    assert newest is not None
    assert newest.info.counts.alive == 0
