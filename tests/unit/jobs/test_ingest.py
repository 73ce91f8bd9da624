"""The parts of the job that need no Ray: what is missing, what is refused, and the bodies of its tasks."""

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.store.local_store import LocalStore
from jobs import ingest
from jobs.common.config import load_config
from jobs.common.store import newest_snapshot
from retrieval.articles.snapshot_update import SnapshotPlan
from schemas.article import Article
from schemas.errors import InputError, StoreError, UsageError
from schemas.layout import Layout
from schemas.snapshot import Lineage, PartRef
from tests.support.stores.store_files import add_part, add_snapshot, config


def body(task: Any) -> Any:
    """The plain function of a Ray task."""
    return task._function


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "store"))


@pytest.fixture
def source(tmp_path: Path, store: LocalStore) -> Path:
    """A source file of 7 bytes that is ingested, and its snapshot made."""
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "a.xml").write_text("content")
    add_snapshot(store, [add_part(store, "a", Article(1), Article(2), source_bytes=7)])
    return folder


def test_what_was_ingested_is_neither_read_nor_replayed_again(source: Path, store: LocalStore) -> None:
    snapshot = newest_snapshot(store)
    report = ingest.run(config(Path(store.root)), source=str(source))
    assert snapshot is not None
    assert report.snapshot == snapshot.id
    assert (report.files, report.ingested, report.records, report.alive) == (1, 0, 2, 2)
    assert newest_snapshot(store) == snapshot
    assert ingest.show(report).startswith(f"snapshot {report.snapshot} of 1 files, 0 of them new\n")


def test_a_file_that_changed_under_its_name_is_refused(source: Path, store: LocalStore) -> None:
    file = source / "a.xml"
    file.write_text("other content")
    with pytest.raises(StoreError) as error:
        ingest.run(config(Path(store.root)), source=str(file))
    other = "13 bytes and not 7, so other content than the file of this name that was ingested before"
    assert str(error.value).startswith(f"{file}: {other}; give it another name; the other files are done")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("lost", "share", "advice"), [(2, "20.0%", "0.201"), (10, "100.0%", "1.000")])
def test_a_new_baseline_that_lacks_more_than_allowed_is_refused_until_the_advice_is_followed(
    lost: int, share: str, advice: str, store: LocalStore
) -> None:
    old = add_snapshot(store, [add_part(store, "pubmed26n0001", *(Article(pmid) for pmid in range(1, 11)))])
    part = add_part(store, "pubmed27n0001", *(Article(pmid) for pmid in range(lost + 1, lost + 9)))
    plan = SnapshotPlan(Lineage(number=1, baseline=("pubmed27n0001",)), (part,), old)
    make_snapshot = body(ingest.make_snapshot)
    with pytest.raises(StoreError) as error:
        make_snapshot(store, plan, 0.01)
    assert str(error.value).startswith(f"the new baseline lacks {lost} of 10 articles ({share}), allowed are 1.0%; ")
    setting = str(error.value).rpartition("--set ")[2]
    assert setting == f"ingest.max_vanished={advice}"
    assert newest_snapshot(store) == old
    followed = load_config(None, [setting], {"PUBRAY_STORE": store.root})
    make_snapshot(store, plan, followed.ingest.max_vanished)
    newest = newest_snapshot(store)
    assert newest is not None
    assert (newest.id, newest.info.counts.deleted) == (plan.id, lost)


def test_a_night_may_delete_what_it_likes(store: LocalStore) -> None:
    parts = [add_part(store, "pubmed26n0001", Article(1)), add_part(store, "pubmed26n0002", Article(1, deleted=True))]
    old = add_snapshot(store, parts[:1])
    body(ingest.make_snapshot)(store, SnapshotPlan(old.info.lineage, tuple(parts), old), 0.0)
    newest = newest_snapshot(store)
    assert newest is not None
    assert newest.info.counts.alive == 0


def files(folder: Path, *names: str) -> str:
    """A folder of source files of 7 bytes."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.xml").write_text("content")
    return str(folder)


def add_parts(store: LocalStore, *names: str) -> None:
    """What ingest would make of such files; each says something else of PMID 1."""
    for name in names:
        add_part(store, name, Article(1, title=f"of {name}"), source_bytes=7)


def newest_parts(store: LocalStore) -> list[str]:
    snapshot = newest_snapshot(store)
    assert snapshot
    return [ref.name for ref in snapshot.info.parts]


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one task of the snapshot runs here."""
    monkeypatch.setattr(ingest, "results", lambda tasks, *_: list(tasks))
    monkeypatch.setattr(ingest, "connect", lambda _: None)
    monkeypatch.setattr(ingest, "place", lambda *_: {})
    task = SimpleNamespace(remote=body(ingest.make_snapshot))
    monkeypatch.setattr(ingest, "make_snapshot", SimpleNamespace(options=lambda: task))


@pytest.mark.usefixtures("without_ray")
def test_a_file_is_left_out_until_it_is_wanted_back(tmp_path: Path, store: LocalStore) -> None:
    add_parts(store, "a", "b")
    source, own = files(tmp_path / "s", "a", "b"), config(Path(store.root))
    whole = ingest.run(own, source=source)
    less = ingest.run(own, source=source, without="b.xml")
    assert (newest_parts(store), less.left_out) == (["a"], ("b",))
    assert ingest.run(own, source=source).snapshot == less.snapshot  # as long as nobody says otherwise
    again = ingest.run(own, source=source, with_file="b.xml")
    assert (newest_parts(store), again.left_out) == (["a", "b"], ())
    assert len({whole.snapshot, less.snapshot, again.snapshot}) == 3
    with pytest.raises(UsageError, match=r"--without c\.xml: neither the store nor the source has such a file"):
        ingest.run(own, source=source, without="c.xml")


@pytest.mark.usefixtures("without_ray")
def test_parts_of_runs_that_did_not_end_are_taken_up_and_the_newest_snapshot_is_the_last(
    tmp_path: Path, store: LocalStore
) -> None:
    own = config(Path(store.root))
    add_parts(store, "a", "b", "c")
    add_snapshot(store, [add_part(store, "a", Article(1, title="of a"), source_bytes=7)])
    ingest.run(own, source=files(tmp_path / "s", "a", "b"))
    assert newest_parts(store) == ["a", "b", "c"]


@pytest.mark.usefixtures("without_ray")
def test_the_files_of_the_baseline_before_do_not_come_back(tmp_path: Path, store: LocalStore) -> None:
    own = config(Path(store.root), ingest={"max_vanished": 1})
    for number, name in enumerate(("corpus-2025", "corpus-2026")):
        add_part(store, name, Article(1, title=f"of {name}"), source_bytes=7, lineage=number)
    add_part(store, "refused", Article(1, title="of a baseline that was refused"), source_bytes=7, lineage=2)
    add_part(store, "left", Article(2, title="by a run that was killed"), source_bytes=7, lineage=1)
    for name in ("corpus-2025", "corpus-2026"):
        ingest.run(own, source=files(tmp_path / name, name), baseline=True)
    for _ in range(2):
        ingest.run(own, source=files(tmp_path / "again", "corpus-2026"))
        assert newest_parts(store) == ["corpus-2026", "left"]


@pytest.mark.usefixtures("without_ray")
def test_what_is_wanted_back_must_be_there(tmp_path: Path, store: LocalStore) -> None:
    add_parts(store, "a", "b")
    own = config(Path(store.root))
    ingest.run(own, source=files(tmp_path / "s", "a", "b"), without="b.xml")
    store.path(Layout.article_part("b")).unlink()  # as gc does in time
    ingest.run(own, source=files(tmp_path / "t", "a"), without="b.xml")
    with pytest.raises(UsageError, match=r"--with b\.xml: neither the store nor the source has such a file"):
        ingest.run(own, source=files(tmp_path / "u", "a"), with_file="b.xml")
    assert newest_parts(store) == ["a"]


@pytest.mark.usefixtures("without_ray")
def test_a_mesh_tree_stands_until_another_is_given(tmp_path: Path, store: LocalStore) -> None:
    add_parts(store, "a")
    own, source = config(Path(store.root)), files(tmp_path / "s", "a")
    first, second = tmp_path / "mtrees2025.bin", tmp_path / "mtrees2026.bin"
    first.write_text("Body Regions;A01\n")
    second.write_text("Body Regions;A01\nAbdomen;A01.923.047\n")
    ids, trees = list[str](), list[str | None]()
    for tree in (None, first, None, first, second, first):
        ids.append(ingest.run(own, source=source, mesh_tree=str(tree) if tree else None).snapshot)
        newest = newest_snapshot(store)
        assert newest
        assert newest.id == ids[-1]
        trees.append(newest.info.mesh_tree)
    one, other = trees[1], trees[4]
    assert one
    assert other
    assert trees == [None, one, one, one, other, one]
    assert [a == b for a, b in pairwise(ids)] == [False, True, True, False, False]
    assert store.path(Layout.mesh_tree(one)).read_text() == "Body Regions\tA01\t\n"
    with pytest.raises(InputError, match=r"--mesh-tree \S+: no such file"):
        ingest.run(own, source=source, mesh_tree=str(tmp_path / "gone.bin"))


@pytest.mark.usefixtures("without_ray")
def test_missing_update_files_are_told(tmp_path: Path, store: LocalStore) -> None:
    own = config(Path(store.root))
    names = ("pubmed26n0001", "pubmed26n0002", "pubmed26n0005")
    add_parts(store, *names)
    ingest.run(own, source=files(tmp_path / "base", names[0]), baseline=True)
    report = ingest.run(own, source=files(tmp_path / "updates", *names[1:]))
    assert report.gaps == ("pubmed26n0003", "pubmed26n0004")
    assert (report.trouble or (0, ""))[0] == 8
    assert ingest.run(own, source=files(tmp_path / "updates"), allow_gaps=True).trouble is None


@pytest.mark.usefixtures("without_ray")
def test_what_only_a_run_knew_that_did_not_write_any_more_is_taken_up(tmp_path: Path, store: LocalStore) -> None:
    """Two snapshots follow the same one, for a run slept past its lease: both are of the same number."""
    first = add_snapshot(store, [a := known_part(store, "a")])
    sleeper = add_snapshot(store, [a, known_part(store, "b")], first)
    other = add_snapshot(store, [a, known_part(store, "c")], first)
    assert sleeper.info.sequence == other.info.sequence
    (tmp_path / "empty").mkdir()
    file = tmp_path / "empty" / "a.jsonl"
    file.write_text("x" * 7)
    ingest.run(config(Path(store.root)), source=str(file))
    assert newest_parts(store) in (["a", "b", "c"], ["a", "c", "b"])


def known_part(store: LocalStore, name: str) -> PartRef:
    return add_part(store, name, Article(1, title=f"of {name}"), source_bytes=7, lineage=0)
