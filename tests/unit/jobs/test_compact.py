"""When nothing is compacted, and what is told then."""

from pathlib import Path

import numpy as np
import pytest

from actors.store.local_store import LocalStore
from jobs import compact
from retrieval.files.checked import write_bytes
from retrieval.rows.row_numbers import write_tombstones
from schemas.base import digest
from schemas.errors import StoreError
from schemas.layout import Layout
from schemas.manifest import Current, IndexVersion
from schemas.report import CompactReport
from tests.support.reports import filled
from tests.support.stores.hand_made_version import write_version
from tests.support.stores.store_files import config, set_current


def served(store: LocalStore, version: IndexVersion) -> None:
    write_bytes(store, Layout.version(version.id), version.model_dump_json().encode())
    set_current(store, Current(version=version.id))


def test_without_a_current_version_there_is_nothing_to_compact(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="has no CURRENT version"):
        compact.run(config(tmp_path))


def test_a_version_within_its_limits_is_not_due(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    served(store, write_version(store))
    report = compact.run(config(tmp_path))
    assert (report.version, report.compacted, report.reason) == ("v1", False, "not due")
    assert compact.show(report).startswith("version v1: nothing was done (not due)\n")


@pytest.mark.parametrize("force", [False, True])
def test_one_segment_without_dead_rows_has_nothing_to_merge(force: bool, tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    served(store, version.model_copy(update={"segments": version.segments[:1], "articles": 200}))
    assert compact.run(config(tmp_path), force=force).reason == "nothing to merge"


@pytest.mark.parametrize(("force", "dead"), [(True, 1), (False, 100)])
def test_what_was_compacted_before_is_there(force: bool, dead: int, tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    buried = {"s0": write_tombstones(store, np.arange(dead))}
    served(store, version.model_copy(update={"tombstones": buried, "articles": 400 - dead}))
    name = digest({"compacted": "v1"})
    write_bytes(store, Layout.version(name), version.model_copy(update={"id": name}).model_dump_json().encode())
    report = compact.run(config(tmp_path), force=force)
    assert (report.version, report.compacted, report.reason) == (name, False, "exists")


def test_what_was_compacted_is_not_served_yet() -> None:
    report = filled(CompactReport, version="v", compacted=True, reason="asked for")
    assert compact.show(report).startswith("version v: compacted, not served yet: pubray promote (asked for)\n")
