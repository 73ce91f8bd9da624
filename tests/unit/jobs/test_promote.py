from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from jobs import promote, rollback
from jobs.common.store import read_current, read_version, swap_current
from jobs.common.writer import take_over
from jobs.steps.index import version_files
from jobs.steps.index.version_files import check_answers
from retrieval.files.checked import write_bytes
from schemas.config import Config
from schemas.errors import CheckError, IntegrityError, StoreError
from schemas.layout import Layout
from schemas.manifest import Current, IndexVersion
from schemas.report import PromoteReport, Report
from schemas.store import Store
from tests.support.stores.hand_made_version import write_version
from tests.support.stores.store_files import add_versions, config


def promoted(folder: Path, version: str | None = None) -> str:
    return promote.run(config(folder), version=version).version


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three versions; names and ages are in different orders."""
    add_whole_versions(tmp_path, "b", "c", "a")
    return tmp_path


def add_whole_versions(folder: Path, *names: str, **parents: str) -> LocalStore:
    """Versions that can be opened, on their parents."""
    objects = LocalStore(str(folder))
    add_versions(objects, *names, parents=parents, of=write_version(objects))
    return objects


def test_the_newest_version_is_promoted_unless_one_is_named(store: Path) -> None:
    assert promoted(store) == "a"
    assert promoted(store, "b") == "b"
    assert read_current(LocalStore(str(store))) == Current(version="b", epoch=2, history=("a",))


def test_promoting_what_is_current_changes_nothing(store: Path) -> None:
    promoted(store)
    before = (store / "CURRENT").read_bytes()
    report = promote.run(config(store))
    assert report == PromoteReport(version="a", previous="a", promoted=False)
    assert (store / "CURRENT").read_bytes() == before
    assert promote.show(report) == "CURRENT is a, as it was"


@pytest.mark.parametrize(
    ("job", "then"),
    [(lambda own: promote.run(own, version="c"), "c"), (rollback.run, "b")],
    ids=["promote", "rollback"],
)
def test_another_run_that_begins_meanwhile_is_no_reason_to_give_up(
    job: Callable[[Config], Report], then: str, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(store, "b")
    promoted(store, "a")

    def look_while_a_run_begins(of: Store, version: IndexVersion, served: IndexVersion | None = None) -> None:
        check_answers(of, version)
        for module in (version_files, rollback):
            monkeypatch.setattr(module, "check_answers", check_answers)
        take_over(of, "another run")

    for module in (version_files, rollback):
        monkeypatch.setattr(module, "check_answers", look_while_a_run_begins)
    job(config(store))
    current = read_current(LocalStore(str(store)))
    assert current
    assert (current.version, current.epoch, current.writer) == (then, 4, "another run")


def test_a_withdrawn_version_is_promoted_only_by_name(store: Path) -> None:
    promoted(store, "b")
    promoted(store, "a")
    rollback.run(config(store))
    with pytest.raises(StoreError, match="version c was built on nothing, CURRENT is b; run pubray index, or"):
        promoted(store)  # c is newer than b, and a is withdrawn
    assert promoted(store, "c") == "c"
    assert promoted(store, "a") == "a"
    current = read_current(LocalStore(str(store)))
    assert current == Current(version="a", epoch=5, history=("b", "c"))  # no longer withdrawn


def test_the_newest_that_was_built_on_current_is_promoted(tmp_path: Path) -> None:
    parents = {"on_a": "a", "on_a_too": "a", "on_b": "b"}
    add_whole_versions(tmp_path, "a", *parents, **parents)
    promoted(tmp_path, "a")
    assert promoted(tmp_path) == "on_a_too"


def test_what_did_not_pass_its_gates_is_promoted_by_name_alone(store: Path) -> None:
    promoted(store, "b")
    own = config(store).with_values(index={"recall_floor": 1})
    objects = LocalStore(str(store))
    made = read_version(objects, "c")
    poor = made.checks.model_copy(update={"recall": made.checks.recall.model_copy(update={"at_10": 0.9})})
    write_bytes(
        objects,
        Layout.version("poor"),
        made.model_copy(update={"id": "poor", "parent": "b", "sequence": 9, "checks": poor}).model_dump_json().encode(),
    )
    with pytest.raises(CheckError, match=r"^version poor finds 0\.900 .*It is promoted by name alone$"):
        promote.run(own)
    assert promote.run(own, version="poor").promoted


def test_what_a_night_has_built_is_held_where_current_was_moved_meanwhile(tmp_path: Path) -> None:
    objects = add_whole_versions(tmp_path, "a", "b", "on_a", b="a", on_a="a")
    promoted(tmp_path, "a")
    promoted(tmp_path, "b")
    before = read_current(objects)
    held = promote.over_its_parent(config(tmp_path), "on_a", before)
    assert held == PromoteReport(version="on_a", previous="b", promoted=False, held=True)
    assert read_current(objects) == before
    assert promoted(tmp_path, "on_a") == "on_a"  # by name
    now = read_current(objects)
    assert not promote.over_its_parent(config(tmp_path), "on_a", now).promoted  # it is CURRENT


def test_a_night_does_not_undo_what_somebody_did_before_it_began_to_build(tmp_path: Path) -> None:
    objects = add_whole_versions(tmp_path, "a", "b", "on_a", b="a", on_a="a")
    promoted(tmp_path, "a")
    promoted(tmp_path, "b")
    begun = read_current(objects)
    rollback.run(config(tmp_path))
    assert promote.over_its_parent(config(tmp_path), "on_a", begun).held
    promoted(tmp_path, "b")  # it was a mistake
    assert promote.over_its_parent(config(tmp_path), "on_a", begun).held
    rollback.run(config(tmp_path))
    assert promote.over_its_parent(config(tmp_path), "on_a", read_current(objects)).promoted


def test_the_first_version_of_a_store_is_promoted(tmp_path: Path) -> None:
    add_whole_versions(tmp_path, "a")
    assert promote.over_its_parent(config(tmp_path), "a", None).promoted


def test_a_version_that_is_not_there_is_refused_by_name(store: Path) -> None:
    with pytest.raises(StoreError, match="version d is not in the store"):
        promoted(store, "d")
    assert not (store / "CURRENT").exists()


def test_a_store_without_versions_has_nothing_to_promote(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as error:
        promoted(tmp_path)
    assert str(error.value) == f"the store {tmp_path} has no version to promote; run pubray index first"


def test_the_report_says_what_was_before(store: Path) -> None:
    assert promote.show(promote.run(config(store), version="b")) == "CURRENT is b"
    assert promote.show(promote.run(config(store), version="a")) == "CURRENT is a, before it b"


def test_what_does_not_open_is_not_promoted_nor_left_without_a_word(store: Path) -> None:
    promoted(store, "b")
    before = (store / "CURRENT").read_bytes()
    with (store / "segments" / "s1" / "rows.f16").open("r+b") as rows:
        rows.truncate(100)
    for version in ("a", "b"):  # b is CURRENT: a night that finds nothing new promotes it
        with pytest.raises(IntegrityError, match=r"rows\.f16: 100 bytes, its manifest says"):
            promoted(store, version)
    with pytest.raises(IntegrityError, match=r"rows\.f16: 100 bytes"):
        promote.over_its_parent(config(store), "b", read_current(LocalStore(str(store))))
    assert (store / "CURRENT").read_bytes() == before


def test_one_manifest_that_cannot_be_read_is_left_out(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (store / "versions" / "z.json").write_text('{"of": "a later pubray"}')
    assert promoted(store) == "a"
    assert "left out: " in capsys.readouterr().err
    with pytest.raises(IntegrityError, match=r"z\.json: not a IndexVersion"):
        promoted(store, "z")


def test_a_clock_that_goes_back_does_not_change_which_version_is_the_newest(tmp_path: Path) -> None:
    objects = LocalStore(str(tmp_path))
    made = write_version(objects)
    for sequence, (name, created) in enumerate([("first", "2026-03-01T00:00:00+00:00"), ("last", "2026-01-01T00:00")]):
        version = made.model_copy(update={"id": name, "created": created, "sequence": sequence})
        write_bytes(objects, Layout.version(name), version.model_dump_json().encode())
    assert promoted(tmp_path) == "last"


def test_what_gc_removes_meanwhile_is_not_promoted(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = LocalStore(str(store))
    promoted(store, "b")
    removing = Current(version="b", removing=("a",))
    removes = partial(swap_current, objects, Current(version="b"), removing)
    monkeypatch.setattr(version_files, "check_answers", lambda *_: removes())
    with pytest.raises(StoreError, match="version a is being removed by pubray gc; promote another"):
        promoted(store, "a")
    assert read_current(objects) == removing
