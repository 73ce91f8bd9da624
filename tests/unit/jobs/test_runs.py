import datetime
import time
from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from jobs import runs, status
from jobs.common.run_records import Record, record_of_done
from schemas.errors import UsageError
from tests.support.night_records import begun
from tests.support.stores.store_files import config


def test_the_last_runs_are_listed_and_status_tells_of_the_last_night(tmp_path: Path) -> None:
    own = config(tmp_path)
    assert runs.show(runs.run(own)) == f"no runs yet in {tmp_path}"
    store = LocalStore(str(tmp_path))
    Record(store, "nightly").end("done", {}, "v1")
    record_of_done(store, "mine", {})
    begun(store, "embed", {})
    Record(store, "train-retriever", "a").end("interrupted", {}, None)
    report = runs.run(own)
    assert [(run.job, run.outcome) for run in report.runs] == [
        ("nightly", "done"),
        ("mine", "done"),
        ("nightly", "running"),
        ("train-retriever", "interrupted"),
    ]
    assert runs.run(own, last=1).runs == report.runs[3:]
    shown = [line.split() for line in runs.show(report).splitlines()[2:]]
    assert [(line[1], line[-1].rpartition("-")[2]) for line in shown] == [
        ("done", "nightly"),
        ("done", "mine"),
        ("running", "nightly"),
        ("interrupted", "retriever"),
    ]
    assert ": running at embed" in status.show(status.run(own))


def test_none_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--last 0: give a number from 1"):
        runs.run(config(tmp_path), last=0)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [("done", None), ("nothing new", None), ("held", 6), ("checks failed", 5), ("failed", 1), ("interrupted", 130)],
)
def test_it_ends_as_the_night_did_that_began_since_then(outcome: str, code: int | None, tmp_path: Path) -> None:
    store, own = LocalStore(str(tmp_path)), config(tmp_path)
    Record(store, "nightly").end("lost", {}, None)
    [before] = runs.run(own).runs
    assert runs.run(own).trouble is None
    then = datetime.datetime.fromisoformat(before.started) + datetime.timedelta(seconds=1)
    time.sleep(1.1)  # they are told to the second
    Record(store, "nightly").end(outcome, {}, None)
    trouble = runs.run(own, since=then.isoformat()).trouble
    assert (trouble and trouble[0]) == code
    if trouble:
        assert trouble[1] == f"the night is {outcome}; see runs/{runs.run(own).runs[1].run}/report.json"
    assert (runs.run(own, since=before.started).trouble or (0,))[0] == 1  # the one before


def test_only_a_night_is_what_was_to_begin(tmp_path: Path) -> None:
    Record(LocalStore(str(tmp_path)), "train-retriever", "a").end("done", {}, None)
    trouble = runs.run(config(tmp_path), since="2026-01-01T00:00:00Z").trouble
    assert trouble
    assert "no night has begun" in trouble[1]


def test_a_night_that_has_not_ended_or_begun_is_no_good_end(tmp_path: Path) -> None:
    own = config(tmp_path)
    begun(LocalStore(str(tmp_path)), "embed", {})
    assert "the night is running at embed" in (runs.run(own, since="2026-01-01T00:00:00Z").trouble or (0, ""))[1]
    assert "no night has begun since 2999-01-01T00:00:00" in (runs.run(own, since="2999-01-01").trouble or (0, ""))[1]
    with pytest.raises(UsageError, match="--since 'noon': no time; write it as in 2026-11-30T23:00:00Z"):
        runs.run(own, since="noon")
