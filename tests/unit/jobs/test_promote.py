from pathlib import Path

import pytest

from jobs import promote, rollback
from jobs.common.store import read_current
from schemas.errors import StoreError
from schemas.layout import Layout
from schemas.manifest import Current
from schemas.report import PromoteReport
from tests.support.stores.store_files import add_versions, config


def promoted(folder: Path, version: str | None = None) -> str:
    return promote.run(config(folder), version=version).version


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three versions; names and ages are in different orders."""
    add_versions(Layout(str(tmp_path)), "b", "c", "a")
    return tmp_path


def test_the_newest_version_is_promoted_unless_one_is_named(store: Path) -> None:
    assert promoted(store) == "a"
    assert promoted(store, "b") == "b"
    assert read_current(Layout(str(store))) == Current(version="b", epoch=2, history=("a",))


def test_promoting_what_is_current_changes_nothing(store: Path) -> None:
    promoted(store)
    before = (store / "CURRENT").read_bytes()
    report = promote.run(config(store))
    assert report == PromoteReport(version="a", previous="a", promoted=False)
    assert (store / "CURRENT").read_bytes() == before
    assert promote.show(report) == "CURRENT is a, as it was"


def test_a_withdrawn_version_is_promoted_only_by_name(store: Path) -> None:
    promoted(store, "b")
    promoted(store, "a")
    rollback.run(config(store))
    with pytest.raises(StoreError, match="version c was built on None, CURRENT is b; run pubray index, or promote it"):
        promoted(store)  # c is newer than b, and a is withdrawn
    assert promoted(store, "c") == "c"
    assert promoted(store, "a") == "a"
    current = read_current(Layout(str(store)))
    assert current == Current(version="a", epoch=5, history=("b", "c"))  # no longer withdrawn


def test_the_newest_that_was_built_on_current_is_promoted(tmp_path: Path) -> None:
    parents = {"on a": "a", "on a too": "a", "on b": "b"}
    add_versions(Layout(str(tmp_path)), "a", *parents, parents=parents)
    promoted(tmp_path, "a")
    assert promoted(tmp_path) == "on a too"


def test_what_a_night_has_built_is_held_where_current_was_moved_meanwhile(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    add_versions(layout, "a", "b", "on a", parents={"b": "a", "on a": "a"})
    promoted(tmp_path, "a")
    promoted(tmp_path, "b")
    before = read_current(layout)
    held = promote.over_its_parent(config(tmp_path), "on a")
    assert held == PromoteReport(version="on a", previous="b", promoted=False, held=True)
    assert read_current(layout) == before
    assert promoted(tmp_path, "on a") == "on a"  # by name
    assert not promote.over_its_parent(config(tmp_path), "on a").promoted  # it is CURRENT


def test_the_first_version_of_a_store_is_promoted(tmp_path: Path) -> None:
    add_versions(Layout(str(tmp_path)), "a")
    assert promote.over_its_parent(config(tmp_path), "a").promoted


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
