import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.search.index_searcher import IndexSearcher
from actors.store.local_store import LocalStore
from jobs import gc, rollback, status
from jobs.common.contents import contents_of
from jobs.common.store import RUNS, read_current, read_version, version_names, versions, write_current
from jobs.common.writer import take_over, writing
from retrieval.embed.vector_parts import row_ranges
from retrieval.files.checked import write_bytes
from retrieval.operate.garbage import Contents
from retrieval.rows.row_numbers import write_tombstones
from schemas.article import Article
from schemas.errors import LostError, StoreError, UsageError, WriterError
from schemas.layout import FileKind, Layout
from schemas.manifest import Current, IndexVersion, QuantizerRecord
from schemas.report import GcReport
from schemas.snapshot import Lineage
from tests.support.stores.hand_made_version import write_version
from tests.support.stores.store_files import add_part, add_snapshot, add_vectors, config, set_current

DAY = 86_400.0


def cleaned(
    folder: Path, *, keep: int = 0, grace: float = 24, unpromoted: float = 0, dry_run: bool = False
) -> GcReport:
    return gc.run(config(folder), keep=keep, grace=grace, unpromoted=unpromoted, dry_run=dry_run)


def names(report: GcReport) -> dict[FileKind, tuple[str, ...]]:
    return {kind: found.names for kind, found in report.removed.items()}


def make_old(folder: Path, days: float = 9) -> None:
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (time.time() - days * DAY,) * 2)


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != ".writer.lock"}


def add(store: LocalStore, version: IndexVersion, name: str, **update: Any) -> None:
    made = version.model_copy(update={"id": name, **update})
    write_bytes(store, Layout.version(name), made.model_dump_json().encode())


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, IndexVersion]:
    """A store with two segments, which no version names yet."""
    folder = tmp_path_factory.mktemp("template")
    return folder, write_version(LocalStore(str(folder)))


VERSIONS = st.lists(
    st.tuples(st.sampled_from([(0,), (1,), (0, 1)]), st.sets(st.integers(0, 3), max_size=3), st.booleans()),
    min_size=1,
    max_size=5,
)
"""Of each its segments, its dead rows, and whether it is young."""


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=VERSIONS, history=st.lists(st.integers(0, 4), max_size=4), keep=st.integers(0, 3))
def test_every_kept_version_opens_and_verifies_and_a_second_run_removes_nothing(
    made: list[tuple[tuple[int, ...], set[int], bool]],
    history: list[int],
    keep: int,
    template: tuple[Path, IndexVersion],
    tmp_path: Path,
) -> None:
    shutil.rmtree(tmp_path)
    base = template[1]
    shutil.copytree(template[0], tmp_path)
    store, young = LocalStore(str(tmp_path)), []
    for number, (segments, dead, is_young) in enumerate(made):
        chosen = tuple(base.segments[i] for i in segments)
        rows = np.array(sorted(dead), np.int64)
        buried = {s.id: write_tombstones(store, rows) for s in chosen[:1] if dead}
        update = {"segments": chosen, "tombstones": buried, "articles": 0}
        add(store, base, f"v{number}", **update)
        young += [store.path(Layout.version(f"v{number}"))] if is_young else []
    make_old(tmp_path)
    for path in young:
        os.utime(path)
    add(store, base, "made just now", created=_now(), segments=base.segments[:1])
    make_old(store.path(Layout.version("made just now")))
    ids = [f"v{i}" for i in range(len(made))]
    set_current(store, Current(version=ids[-1], history=tuple(ids[i % len(ids)] for i in history)))

    planned, before = cleaned(tmp_path, keep=keep, dry_run=True), files(tmp_path)
    assert files(tmp_path) == before
    report = cleaned(tmp_path, keep=keep)
    assert report == planned.model_copy(update={"dry_run": False})
    kept = tuple(v.id for v in versions(store))
    assert kept == report.kept_versions
    assert {ids[-1], "made just now", *(Path(path).stem for path in young)} <= set(kept)
    for version in kept:
        searcher = IndexSearcher(store, read_version(store, version))
        assert len(searcher.segments[0].articles) == searcher.segments[0].manifest.rows
    status.run(config(tmp_path), verify=True)
    assert cleaned(tmp_path, keep=keep).removed == {}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())


def test_old_things_of_every_kind_go_and_what_current_needs_stays(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    old_parts = [add_part(store, f"pubmed25n000{i}", Article(i)) for i in (1, 2)]
    old = add_snapshot(store, old_parts)
    baseline = Lineage(number=1, baseline=("pubmed26n0001",))
    new_parts = [add_part(store, f"pubmed26n000{i}", Article(i)) for i in (1, 2)]
    new = add_snapshot(store, new_parts, old, baseline)
    add_part(store, "pubmed26n0003", Article(9))
    for space in ("f1", "f0"):
        for r in row_ranges([*old_parts, *new_parts[:1]], 8) + row_ranges(new_parts, 8):
            vectors = np.zeros((1, 4), np.float16)
            key = Layout.vector_part(space, "all", r.name)
            add_vectors(store, key, np.ones(1, np.int64), np.ones(1, np.uint64), vectors)
    record = QuantizerRecord(sha256="x", factory="", metric="", spherical=False, seed=0, trained_on=1)
    write_bytes(store, Layout.quantizer("x"), b"an old one")
    write_bytes(store, Layout.quantizer_record("inputs"), record.model_dump_json().encode())
    write_bytes(store, f"{Layout.worker_shard('inputs', 0)}/lists.faiss", b"lists")
    write_bytes(store, Layout.source("pubmed26n0001.xml.gz"), b"source")
    for key in (Layout.run_report("r"), Layout.run_page("r"), Layout.run_log("r", "driver.log")):
        write_bytes(store, key, b"{}")
    for place in (tmp_path, tmp_path / "segments", tmp_path / "vectors/f1/all", tmp_path / "shards/inputs"):
        (place / ".half.1234.tmp").write_bytes(b"half")
    (tmp_path / "sources" / ".half.xml.gz.part").write_bytes(b"to be gone on with")
    add(store, version, "old", segments=version.segments[:1], snapshot=old.id, fingerprint="f0", quantizer="x")
    add(store, version, "new", segments=version.segments[1:], snapshot=new.id)
    set_current(store, Current(version="new", history=("old",)))
    make_old(tmp_path)
    before = files(tmp_path)
    assert cleaned(tmp_path, grace=24 * 10).removed == {}  # nothing is as old as that
    assert cleaned(tmp_path, keep=1).kept_versions == ("new", "old")
    lost = before - files(tmp_path)
    assert {Path(path).name for path in lost} >= {".half.1234.tmp", "lists.faiss"}
    assert not [path for path in lost if path.startswith(("versions", "segments/s", "articles", "snapshots"))]

    removed = names(report := cleaned(tmp_path))
    assert report.kept_versions == ("new",)
    assert (removed["versions"], removed["segments"], removed["snapshots"]) == (("old",), ("s0",), (old.id,))
    assert (removed["quantizers"], removed["quantizer records"]) == (("x",), ("inputs",))
    assert removed["articles"] == ("pubmed25n0001", "pubmed25n0002")
    kept = {f"f1/all/{r.name}" for r in row_ranges(new_parts, 8)}
    there = {p.relative_to(tmp_path / "vectors").with_suffix("").as_posix() for p in tmp_path.glob("vectors/*/*/*")}
    assert there == kept
    left = files(tmp_path)
    assert {"sources/pubmed26n0001.xml.gz", "sources/.half.xml.gz.part", "CURRENT"} <= left
    assert {"runs/r/report.json", "runs/r/report.html", "runs/r/logs/driver.log"} <= left
    assert not (tmp_path / "segments" / "s0").exists()
    assert "versions kept: new" in gc.show(report)
    assert cleaned(tmp_path).removed == {}


def test_a_rollback_never_goes_to_what_was_removed(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    for name in ("a", "b", "c"):
        add(store, version, name)
    set_current(store, Current(version="c", history=("a", "b")))
    make_old(tmp_path)
    assert cleaned(tmp_path, keep=1).kept_versions == ("b", "c")
    assert rollback.run(config(tmp_path)).version == "b"
    with pytest.raises(StoreError, match="no other version before CURRENT; nothing was changed"):
        rollback.run(config(tmp_path))
    current = read_current(store)
    assert current is not None
    assert (current.version, current.withdrawn) == ("b", ("c",))
    assert cleaned(tmp_path, keep=9).kept_versions == ("b",)  # withdrawn ones are kept by grace alone


def test_two_runs_at_once_are_one_too_many(tmp_path: Path) -> None:
    refused = pytest.raises(WriterError, match="pubray embed, process")
    (tmp_path / "versions").mkdir()
    with writing(config(tmp_path), "embed"), ThreadPoolExecutor(1) as pool, refused:
        pool.submit(cleaned, tmp_path).result()
    assert cleaned(tmp_path).removed == {}


def test_a_store_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="none does not exist"):
        cleaned(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_version_that_waits_to_be_promoted_is_kept_with_its_vectors_and_named(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    snapshot = add_snapshot(store, [part := add_part(store, "a", Article(1))])
    add(store, version, "served", snapshot=snapshot.id)
    add(store, version, "waits", snapshot=snapshot.id, fingerprint="f0")
    add(store, version, "withdrawn", snapshot=snapshot.id, fingerprint="f2")
    for space in ("f0", "f2"):
        key = Layout.vector_part(space, "all", row_ranges([part], 8)[0].name)
        add_vectors(store, key, np.ones(1, np.int64), np.ones(1, np.uint64), np.zeros((1, 4), "f2"))
    set_current(store, Current(version="served", withdrawn=("withdrawn",)))
    make_old(tmp_path, days=20)
    assert status.run(config(tmp_path)).unpromoted == ("waits",)
    assert names(cleaned(tmp_path, unpromoted=30))["versions"] == ("withdrawn",)
    assert [folder.name for folder in (tmp_path / "vectors").iterdir() if list(folder.rglob("*.parquet"))] == ["f0"]
    make_old(tmp_path, days=31)
    assert names(cleaned(tmp_path, unpromoted=30))["versions"] == ("waits",)
    assert not list((tmp_path / "vectors").rglob("*.parquet"))


def test_with_a_manifest_that_cannot_be_read_all_but_temporary_files_stays(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    add(store, version, "old")
    add(store, version, "new")
    set_current(store, Current(version="new", history=("old",)))
    store.path(Layout.version("later")).write_text('{"a field": "of tomorrow"}')
    (tmp_path / ".x.1.tmp").write_text("")
    make_old(tmp_path)
    report = cleaned(tmp_path)
    assert names(report) == {"temporary": (".x.1.tmp",)}
    assert "all but temporary files stays, for" in gc.show(report)
    assert "cannot be read: " in status.show(status.run(config(tmp_path)))
    store.path(Layout.version("later")).unlink()
    store.path(Layout.version("new")).unlink()
    assert names(cleaned(tmp_path)) == {}  # nobody knows what CURRENT needs


def test_what_becomes_current_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    for name in ("a", "b"):
        add(store, version, name)
    set_current(store, Current(version="b", history=("a",)))
    make_old(tmp_path)
    look = contents_of

    def look_and_roll_back(store: LocalStore) -> Contents:
        found = look(store)
        monkeypatch.setattr(gc, "contents_of", look)
        rollback.run(config(tmp_path))
        return found

    monkeypatch.setattr(gc, "contents_of", look_and_roll_back)
    assert names(cleaned(tmp_path))["versions"] == ("b",)
    monkeypatch.undo()
    assert cleaned(tmp_path).removed == {}
    status.run(config(tmp_path), verify=True)


def test_a_run_that_was_stopped_is_ended_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    snapshot = add_snapshot(store, [part := add_part(store, "a", Article(1))])
    add(store, version, "old", snapshot=snapshot.id, fingerprint="f0", segments=version.segments[:1])
    add(store, version, "new", snapshot=snapshot.id, segments=version.segments[1:])
    key = Layout.vector_part("f0", "all", row_ranges([part], 8)[0].name)
    add_vectors(store, key, np.ones(1, np.int64), np.ones(1, np.uint64), np.zeros((1, 4), "f2"))
    set_current(store, Current(version="new"))
    make_old(tmp_path)
    monkeypatch.setattr(LocalStore, "remove", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cleaned(tmp_path)
    monkeypatch.undo()
    assert [v.id for v in versions(store)] == ["new"]
    assert {"vectors", "segments", "versions"} <= names(cleaned(tmp_path)).keys()
    assert files(tmp_path / "versions") == {"new.json"}
    assert not store.path(key).exists()


def test_what_was_begun_is_ended_however_young_and_whatever_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    for name in ("old", "new"):
        add(store, version, name)
    set_current(store, Current(version="new"))
    monkeypatch.setattr(LocalStore, "remove", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cleaned(tmp_path, grace=0)
    monkeypatch.undo()
    broken = store.path(Layout.version("later"))
    broken.write_text('{"a field": "of tomorrow"}')
    assert cleaned(tmp_path).all_stays
    assert version_names(store) == ["later", "new"]
    broken.unlink()
    assert names(cleaned(tmp_path)) == {"versions": ("old",)}
    current = read_current(store)
    assert current
    assert current.removing == ()


def test_who_looked_at_current_before_has_to_look_again(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    for name in ("old", "new"):
        add(store, version, name)
    set_current(store, Current(version="new"))
    before = read_current(store)
    cleaned(tmp_path, grace=0)
    assert not write_current(store, before, Current(version="old", epoch=2))


def test_who_is_not_the_writer_any_more_removes_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    for name in ("old", "new"):
        add(store, version, name)
    set_current(store, Current(version="new", writer="this run"))
    decide = gc._decided

    def decide_and_be_succeeded(*arguments: Any, **options: Any) -> Any:
        found = decide(*arguments, **options)
        take_over(store, "the next run")
        return found

    monkeypatch.setattr(gc, "_decided", decide_and_be_succeeded)
    token = RUNS.set({str(tmp_path): "this run"})
    try:
        with pytest.raises(LostError, match="nothing more is changed"):
            cleaned(tmp_path, grace=0)
    finally:
        RUNS.reset(token)
    assert files(tmp_path / "versions") == {"new.json", "old.json"}


@pytest.mark.parametrize("wrong", [{"keep": -1}, {"grace": -1}, {"grace": float("nan")}, {"unpromoted": -1}])
def test_negative_limits_are_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give 0 or more"):
        cleaned(tmp_path, **wrong)
