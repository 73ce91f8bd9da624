from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from jobs import runs, status
from jobs.common.run_records import Record, record_of_done
from schemas.errors import UsageError
from tests.support.stores.store_files import config


def test_the_last_nights_are_listed_and_status_tells_of_the_last_night(tmp_path: Path) -> None:
    own = config(tmp_path)
    assert runs.show(runs.run(own)) == f"no nights yet in {tmp_path}"
    store = LocalStore(str(tmp_path))
    Record(store, "nightly").end("done", {}, "v1")
    record_of_done(store, "embed", {})
    Record(store, "nightly").stage("embed", {})
    report = runs.run(own)
    assert [run.outcome for run in report.runs] == ["done", "running"]
    assert runs.run(own, last=1).runs == report.runs[1:]
    assert [line.split()[1] for line in runs.show(report).splitlines()[2:]] == ["done", "running"]
    assert ": running at embed" in status.show(status.run(own))


def test_none_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--last 0: give a number from 1"):
        runs.run(config(tmp_path), last=0)
