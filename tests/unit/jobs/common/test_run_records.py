import json
from pathlib import Path
from typing import Any

import pytest

from actors.store.local_store import LocalStore
from jobs.common import run_records
from jobs.common.run_records import Record, outcome_of, record_of_done, runs
from schemas.errors import CheckError, IntegrityError, LostError, StoreError
from schemas.layout import Layout
from schemas.run import NightFigures
from tests.support.night_records import begun, written
from tests.support.training.made_records import train_report

FIGURES = NightFigures(articles=9, bytes=8, dead_rows=7, recall_at_10=0.99, canaries=1, encoded=6, seconds=5)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path))


def report(store: LocalStore, number: int) -> dict[str, Any]:
    content = store.read(Layout.run_report(runs(store).runs[number].run))
    found: dict[str, Any] = json.loads(content or b"{}")
    return found


def page(store: LocalStore, number: int) -> str:
    return (store.read(Layout.run_page(runs(store).runs[number].run)) or b"").decode()


def test_a_run_is_told_at_its_start_at_each_stage_and_at_its_end(store: LocalStore) -> None:
    written(Record(store, "nightly"))
    assert report(store, 0)["outcome"] == "running"
    assert "<h1>Running</h1>" in page(store, 0)
    store.remove("runs")
    record = Record(store, "nightly")
    record.stage("ingest", {})
    record.stage("embed", {"seconds": {"ingest": 1.5}})
    written(record)
    assert (runs(store).runs[0].stage, report(store, 0)["stage"]) == ("embed", "embed")
    assert report(store, 0)["seconds"] == {"ingest": 1.5}
    assert "<h1>Running in embed</h1>" in page(store, 0)
    record.end("done", {"exit_code": 0}, "v1", FIGURES)
    [run] = runs(store).runs
    assert (run.outcome, run.version, run.job, run.figures) == ("done", "v1", "nightly", FIGURES)
    assert run.finished
    assert (report(store, 0)["format"], report(store, 0)["exit_code"]) == (1, 0)
    assert "<h1>Done</h1>" in page(store, 0)


def test_the_next_run_finds_that_the_one_before_died(store: LocalStore) -> None:
    begun(store, "index", {"seconds": {"embed": 2.5}})
    record_of_done(store, "embed", {"encoded": 1})
    Record(store, "nightly").end("nothing new", {}, None)
    assert [(run.job, run.outcome, run.stage) for run in runs(store).runs] == [
        ("nightly", "died", "index"),
        ("embed", "done", None),
        ("nightly", "nothing new", None),
    ]
    assert (report(store, 0)["outcome"], report(store, 0)["seconds"]) == ("died", {"embed": 2.5})
    assert report(store, 1)["encoded"] == 1
    assert "<h1>Died in index</h1>" in page(store, 0)
    assert f'<a href="../{runs(store).runs[0].run}/report.html">The night before</a>: died' in page(store, 2)
    assert sorted(store.names(f"runs/{runs(store).runs[1].run}")) == ["report.json"]  # of a night alone


def test_a_run_of_training_has_a_page_and_is_found_to_have_died_by_the_next_one_of_its_id(store: LocalStore) -> None:
    told = train_report(170, models=())
    for training in ("a", "b"):
        record = Record(store, "train-retriever", training)
        record.stage("train", {"train": told.model_dump(mode="json")}, told.figures)
        written(record)
    Record(store, "train-reranker", "a").end("done", {}, None)
    assert [run.outcome for run in runs(store).runs] == ["running", "running", "done"]  # several may go on at once
    assert "<h1>Running, at step 170 of 400</h1>" in page(store, 0)
    assert runs(store).runs[0].figures == told.figures
    last = train_report()
    Record(store, "train-retriever", "a").end("done", {"train": last.model_dump(mode="json")}, None, last.figures)
    assert [run.outcome for run in runs(store).runs] == ["died", "running", "done", "done"]
    assert "<h1>Died, at step 170 of 400</h1>" in page(store, 0)
    assert report(store, 0)["train"]["steps"] == 170
    assert "<h1>Done</h1>" in page(store, 3)


@pytest.mark.parametrize("left", [None, b"", b'{"run": "r", "of": "a later pubray"}'])
def test_a_run_that_died_may_have_left_no_report(store: LocalStore, left: bytes | None) -> None:
    begun(store, "index", {"seconds": {"embed": 2.5}})
    store.path(Layout.run_report(runs(store).runs[0].run)).unlink()
    if left is not None:
        store.path(Layout.run_report(runs(store).runs[0].run)).write_bytes(left)
    written(Record(store, "nightly"))
    assert (report(store, 0)["outcome"], "seconds" in report(store, 0)) == ("died", False)


def test_the_list_is_bounded(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_records, "KEPT", 3)
    for encoded in range(5):
        record_of_done(store, "embed", {"encoded": encoded})
    assert [report(store, number)["encoded"] for number in range(3)] == [2, 3, 4]
    assert len(list(store.names("runs"))) == 6


def test_a_list_that_cannot_be_read_is_named(store: LocalStore, tmp_path: Path) -> None:
    record_of_done(store, "embed", {})
    store.path(Layout.runs).write_text("garbage")
    with pytest.raises(IntegrityError, match=rf"^{tmp_path}/runs/index\.json: not a RunList"):
        runs(store)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (LostError("x"), "lost"),
        (CheckError("x"), "checks failed"),
        (StoreError("x"), "failed"),
        (ZeroDivisionError(), "failed"),
    ],
)
def test_how_a_run_ended_is_a_word(error: BaseException, outcome: str) -> None:
    assert outcome_of(error) == outcome


def test_what_goes_wrong_while_it_is_written_is_raised_at_the_end(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> None:
        raise KeyError("of ours")

    record = Record(store, "nightly")
    with monkeypatch.context() as patched:
        patched.setattr(run_records, "_write", wrong)
        record.stage("embed", {})
        written(record)
    with pytest.raises(KeyError, match="of ours"):
        record.end("done", {}, None)
    assert runs(store).runs[-1].outcome == "done"
