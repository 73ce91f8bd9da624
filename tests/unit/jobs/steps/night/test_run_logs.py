"""What is kept of logs without a cluster; with one: tests/cluster/jobs/test_logs.py."""

from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from jobs.common.console import Progress, log
from jobs.steps.night import run_logs
from jobs.steps.night.run_logs import RunLogs
from schemas.config import PlacementConfig
from schemas.errors import StoreError
from schemas.layout import Layout


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path))


def kept(store: LocalStore, run: str) -> str:
    return (store.read(Layout.run_log(run, "driver.log")) or b"").decode()


def test_the_lines_of_a_run_are_kept_with_their_times(store: LocalStore) -> None:
    log("before it")
    logs = RunLogs(store, "r", PlacementConfig())
    assert logs.keep() == []
    log("first line")
    assert logs.keep() == ["driver.log"]
    Progress("embed", 3, "rows").finish()
    logs.keep()
    first, second = kept(store, "r").splitlines()
    assert first[2] == first[5] == ":"
    assert (first[8:], second[8:].startswith(" embed     0 of 3 rows, 0.0/s")) == (" first line", True)


def test_another_run_has_lines_of_its_own(store: LocalStore) -> None:
    RunLogs(store, "r", PlacementConfig())
    log("of the first")
    logs = RunLogs(store, "s", PlacementConfig())
    log("of the second")
    logs.keep()
    assert [line[9:] for line in kept(store, "s").splitlines()] == ["of the second"]


def test_of_an_error_it_is_kept_where_it_was_raised(store: LocalStore) -> None:
    logs = RunLogs(store, "r", PlacementConfig())
    with pytest.raises(StoreError) as raised:
        store.end_writing()
    logs.keep(raised.value)
    assert kept(store, "r").startswith("Traceback (most recent call last):")
    assert ", in end_writing\n" in kept(store, "r")


def test_secrets_are_not_kept_and_no_more_than_the_last_lines(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN", "made-secret")
    logs = RunLogs(store, "r", PlacementConfig())
    log("asked with made-secret at http://host/?api_key=another")
    logs.keep()
    assert kept(store, "r")[9:] == "asked with *** at http://host/?api_key=***\n"
    for number in range(12_000):
        log(f"line {number} {'x' * 100}")
    logs.keep()
    assert len(kept(store, "r").encode()) <= 1_000_000
    assert "line 11999 " in kept(store, "r")


def test_of_a_file_only_its_end_is_read_and_only_if_it_is_of_this_run(tmp_path: Path) -> None:
    file = tmp_path / "worker.err"
    assert run_logs._end_of(file, 0) == ""
    file.write_text("".join(f"{number}\n" for number in range(500_000)))
    written = file.stat().st_mtime
    assert run_logs._end_of(file, written + 1) == ""
    end = run_logs._end_of(file, written)
    assert (end.endswith("\n499999\n"), len(end) < 2_000_000 < file.stat().st_size) == (True, True)
