from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from jobs import promote, rollback
from jobs.common.store import compacted_id, read_current
from schemas.errors import IntegrityError, StoreError
from schemas.layout import Layout
from schemas.manifest import Current
from schemas.report import RollbackReport
from tests.support.stores.hand_made_version import write_version
from tests.support.stores.store_files import add_versions, config


def store(folder: Path, *promotions: str) -> LocalStore:
    """A store whose versions were promoted one after the other."""
    objects = LocalStore(str(folder))
    add_versions(objects, *sorted(set(promotions)), of=write_version(objects))
    for version in promotions:
        promote.run(config(folder), version=version)
    return objects


def test_rolling_back_twice_goes_back_by_two(tmp_path: Path) -> None:
    objects = store(tmp_path, "a", "b", "c")
    assert rollback.run(config(tmp_path)) == RollbackReport(version="b", withdrawn="c")
    assert rollback.run(config(tmp_path)) == RollbackReport(version="a", withdrawn="b")
    current = read_current(objects)
    assert current
    assert (current.version, current.epoch, current.history, current.withdrawn) == ("a", 5, (), ("c", "b"))


def test_before_the_first_version_there_is_nothing(tmp_path: Path) -> None:
    objects = store(tmp_path, "a")
    with pytest.raises(StoreError) as error:
        rollback.run(config(tmp_path))
    assert str(error.value) == f"the store {tmp_path} has no other version before CURRENT; nothing was changed"
    assert read_current(objects) == Current(version="a")


def test_an_empty_store_has_nothing_to_roll_back(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no other version before CURRENT"):
        rollback.run(config(tmp_path))


def test_a_rollback_never_ends_at_a_withdrawn_version(tmp_path: Path) -> None:
    objects = store(tmp_path, "a", "b", "a")
    assert rollback.run(config(tmp_path)).version == "b"
    with pytest.raises(StoreError, match="no other version before CURRENT"):
        rollback.run(config(tmp_path))
    current = read_current(objects)
    assert current
    assert (current.version, current.epoch, current.history, current.withdrawn) == ("b", 4, (), ("a",))


def test_a_rollback_passes_what_compact_made_from_the_same_rows_and_withdraws_all_of_it(tmp_path: Path) -> None:
    objects, again, back = LocalStore(str(tmp_path)), compacted_id("b"), compacted_id(compacted_id("b"))
    add_versions(objects, "a", "b", again, back, parents={"b": "a", again: "b", back: again}, of=write_version(objects))
    for version in ("a", "b", again, back):
        promote.run(config(tmp_path), version=version)
    assert rollback.run(config(tmp_path)) == RollbackReport(version="a", withdrawn=back)
    current = read_current(objects)
    assert current
    assert (current.version, current.history, set(current.withdrawn)) == ("a", (), {"b", again, back})


def test_the_report_names_both(tmp_path: Path) -> None:
    store(tmp_path, "a", "b")
    shown = rollback.show(rollback.run(config(tmp_path)))
    assert shown == "CURRENT is a; b is withdrawn, and promoted again only by name"


def test_a_rollback_to_what_does_not_open_changes_nothing(tmp_path: Path) -> None:
    objects = store(tmp_path, "a", "b")
    before = read_current(objects)
    objects.path(f"{Layout.segment('s0')}/" + "pmids.i64").unlink()
    with pytest.raises(IntegrityError, match=r"pmids\.i64: file is missing"):
        rollback.run(config(tmp_path))
    assert read_current(objects) == before


def test_a_rollback_passes_what_cannot_be_read(tmp_path: Path) -> None:
    objects = store(tmp_path, "a", "b", "c")
    for version in ("b", "c"):  # c is CURRENT
        objects.path(Layout.version(version)).write_text("{")
    assert rollback.run(config(tmp_path)) == RollbackReport(version="a", withdrawn="c")


def test_the_same_rows_by_other_rules_or_on_another_version_are_withdrawn_too(tmp_path: Path) -> None:
    objects, made = LocalStore(str(tmp_path)), write_version(LocalStore(str(tmp_path)))
    for name, snapshot in {"a": "s1", "b": "s2", "c": "s3"}.items():
        add_versions(objects, name, of=made.model_copy(update={"snapshot": snapshot}))
        promote.run(config(tmp_path), version=name)
    for _ in range(2):
        rollback.run(config(tmp_path))
    again = {"c anew": "s3", "b anew": "s2", "a by other rules": "s1", "d": "s4"}
    for name, snapshot in again.items():
        add_versions(objects, name, parents={name: "a"}, of=made.model_copy(update={"snapshot": snapshot}))
    assert promote.withdrawn(objects) == {"b", "c", "c anew", "b anew"}
    objects.path(Layout.version("c")).unlink()  # gc removes what is withdrawn
    assert promote.withdrawn(objects) == {"b", "c", "c anew", "b anew"}
    promote.run(config(tmp_path), version="c anew")
    assert "c anew" not in promote.withdrawn(objects)
    assert "b anew" in promote.withdrawn(objects)
