"""Stores of every kind of state, and what they say of themselves."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from actors.store.local_store import LocalStore
from jobs.common.run_records import Record
from retrieval.articles.snapshot import Snapshot
from retrieval.articles.snapshot_update import SnapshotPlan, write_snapshot
from retrieval.files.checked import write_bytes
from retrieval.operate.store_metrics import METRICS, Metric, exposition, gate_margin, store_metrics
from schemas.article import Article
from schemas.config import IndexConfig
from schemas.errors import StoreError
from schemas.layout import Layout
from schemas.manifest import Current, FileDigest, Gate, Segment
from schemas.run import TRAININGS
from schemas.snapshot import Lineage, PartFile, SourceFile
from tests.support.night_records import begun, written
from tests.support.service.seams import VERSION
from tests.support.stores.store_files import add_part, add_snapshot, set_current
from tests.support.training.made_records import train_report

RULES = IndexConfig(recall_floor=0.9, max_removed=0.05)
FILE = FileDigest(bytes=500, sha256="", head="")
SEGMENT = Segment(id="s", shard=0, rows=1, dimension=1, nlist=1, code_size=1, files={"rows": FILE})


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path))


def told(store: LocalStore) -> dict[str, float]:
    """What a store says, by name and label."""
    found = {}
    for name, value, labels in store_metrics(store, RULES):
        found[" ".join([name.removeprefix("pubray_"), *labels.values()])] = value
    return found


def serve(store: LocalStore, **values: Any) -> Snapshot:
    """Let CURRENT name a version of two source files."""
    snapshot = add_snapshot(store, [add_part(store, f"pubmed26n000{i}", Article(i)) for i in (1, 2)])
    checks = VERSION.checks.model_copy(
        update={"recall": VERSION.checks.recall.model_copy(update={"at_10": 0.97}), "dead_share": 0.02}
    )
    made = {"id": "v1", "snapshot": snapshot.id, "checks": checks, "segments": (SEGMENT,), "articles": 7}
    version = VERSION.model_copy(update={**made, "missing_updates": 3, **values})
    write_bytes(store, Layout.version(version.id), version.model_dump_json().encode())
    set_current(store, Current(version=version.id))
    return snapshot


def end_night(store: LocalStore, outcome: str, **seconds: float) -> None:
    usd = {stage: of / 10 for stage, of in seconds.items()}
    Record(store, "nightly").end(outcome, {"seconds": seconds, "usd": usd}, None)


def test_of_an_empty_store_nothing_but_that_nobody_writes_is_said(store: LocalStore) -> None:
    assert told(store) == {"lease_age_seconds": 0}
    set_current(store, Current(version=None, epoch=0))
    assert told(store) == {"lease_age_seconds": 0}


def test_what_is_served_is_told_before_any_night(store: LocalStore) -> None:
    serve(store)
    found = told(store)
    assert found.pop("gate_margin recall@10") == pytest.approx(0.7)
    newest = store.facts(Layout.article_part("pubmed26n0002"))
    assert newest
    assert found == {
        "current_info v1": 1,
        "source_timestamp_seconds": newest.modified / 1e9,
        "missing_update_files": 3,
        "articles": 7,
        "index_bytes": 500,
        "recall_at_10": 0.97,
        "dead_share": 0.02,
        "gate_margin removed share": 1,
        "gate_margin dead share": 0.96,
        "lease_age_seconds": 0,
    }


def test_a_copied_store_is_as_old_as_it_was(store: LocalStore) -> None:
    ref = add_part(store, "pubmed26n0001", Article(1))
    file = PartFile(1, 5_000_000_000, SourceFile(1), {}, {})
    for number, files in enumerate(({ref.name: file}, {})):  # of an old snapshot nothing is known
        plan = SnapshotPlan(Lineage(number=number), (ref,), None, part_files=files)
        write_snapshot(store, plan, lambda counts: None)
        serve(store, snapshot=plan.id)
        part = store.facts(Layout.article_part(ref.name))
        assert part
        assert told(store)["source_timestamp_seconds"] == (5 if files else part.modified / 1e9)


def test_a_version_that_cannot_be_read_is_no_metric(store: LocalStore) -> None:
    set_current(store, Current(version="gone"))
    with pytest.raises(StoreError, match="version gone is not in the store"):
        told(store)


def test_the_last_night_that_ended_is_told_while_another_runs(store: LocalStore) -> None:
    end_night(store, "done", ingest=1.5, embed=20)
    Record(store, "embed").end("failed", {}, None)  # no night
    begun(store, "ingest", {})
    found = told(store)
    assert {key: value for key, value in found.items() if key.startswith("night_outcome") and value} == {
        "night_outcome done": 1
    }
    assert found["night_outcome held"] == 0
    assert "night_outcome running" not in found
    assert (found["night_duration_seconds ingest"], found["night_duration_seconds embed"]) == (1.5, 20)
    assert (found["night_cost_usd ingest"], found["night_cost_usd embed"]) == (0.15, 2)
    assert found["night_failures"] == 0
    assert abs(found["night_last_success_timestamp_seconds"] - store.now() / 1e9) < 60


@pytest.mark.parametrize(
    ("outcomes", "failures"),
    [
        (["failed"], 1),
        (["done", "failed", "checks failed"], 2),
        (["failed", "nothing new", "held"], 1),
        (["failed", "update files are missing"], 0),
    ],
)
def test_failures_in_a_row_are_counted(store: LocalStore, outcomes: list[str], failures: int) -> None:
    for outcome in outcomes:
        end_night(store, outcome)
    found = told(store)
    assert found["night_failures"] == failures
    assert ("night_last_success_timestamp_seconds" in found) == (failures < len(outcomes))
    assert found[f"night_outcome {outcomes[-1]}"] == 1


def test_a_night_that_died_left_no_times(store: LocalStore) -> None:
    begun(store, "index", {})
    written(Record(store, "nightly"))
    found = told(store)
    assert (found["night_outcome died"], found["night_failures"]) == (1, 1)
    assert [key for key in found if key.startswith("night_duration")] == []


def test_of_training_the_newest_run_of_each_job_is_told_while_it_goes_on(store: LocalStore) -> None:
    for job, report in (("train-retriever", train_report(400)), ("train-reranker", train_report(170))):
        record = Record(store, job, report.run)
        record.stage("train", {"train": report.model_dump(mode="json")}, report.figures)
        written(record)
    found = {key: value for key, value in told(store).items() if key.startswith("train_")}
    assert (found["train_steps train-retriever"], found["train_steps train-reranker"]) == (400, 170)
    assert found["train_planned_steps train-reranker"] == 400
    assert found["train_loss train-retriever contrast"] == train_report(400).loss["contrast"]
    assert found["train_loss train-retriever gradient"] > 0
    assert (found["train_tokens_per_second train-retriever"], found["train_mfu train-retriever"]) == (9876.5, 0.312)
    assert found["train_duration_seconds train-retriever"] == 754.2
    assert found["train_ndcg_at_10 train-retriever title before"] == 0.812
    assert found["train_ndcg_at_10 train-retriever title after"] == 0.861
    begun(store, "ingest", {})  # of a night nothing is told as if it were training
    Record(store, "train-reranker", "b").end("failed", {}, None)
    assert not any("train-reranker" in key for key in told(store))


@pytest.mark.parametrize(
    ("value", "limit", "passed", "margin"),
    [
        (0.99, 0.95, True, 0.8),  # a floor
        (1.0, 0.95, True, 1),
        (0.94, 0.95, False, -0.2),
        (0.95, 0.95, True, 0),
        (0.01, 0.05, True, 0.8),  # a ceiling
        (0.0, 0.05, True, 1),
        (0.06, 0.05, False, -0.2),
        (0.05, 0.05, True, 0),
        (0.0, 0.0, True, 0),
        (0.5, 1.0, False, -0.5),
    ],
)
def test_the_margin_of_a_gate_is_a_share_of_what_there_can_be(
    value: float, limit: float, passed: bool, margin: float
) -> None:
    assert gate_margin(Gate(name="g", value=value, limit=limit, passed=passed)) == pytest.approx(margin)


def test_a_label_may_hold_anything() -> None:
    text = exposition([Metric("pubray_night_duration_seconds", 1, {"stage": 'a "b"\\\nc, é'})])
    assert text.splitlines()[2] == r'pubray_night_duration_seconds{stage="a \"b\"\\\nc, é"} 1'


def test_prometheus_reads_it_and_finds_nothing_to_say(store: LocalStore) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed; apt-get install prometheus")
    serve(store)
    end_night(store, "done", **{"promote after compact": 1})
    for job in TRAININGS:
        trained = train_report(loss={"contrast": 0.5, "gradient": None})
        Record(store, job, "a").end("done", {"train": trained.model_dump(mode="json")}, None, trained.figures)
    text = exposition(store_metrics(store, RULES))
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    assert len(re.findall("^# HELP", text, re.MULTILINE)) == len(
        {metric.name for metric in store_metrics(store, RULES)}
    )


def test_few_objects_are_read_and_no_folder(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(store)
    end_night(store, "done", ingest=1)
    read, plain = list[str](), LocalStore.read

    def counted(self: LocalStore, key: str) -> bytes | None:
        read.append(key)
        return plain(self, key)

    monkeypatch.setattr(LocalStore, "read", counted)
    for listing in ("names", "entries", "unfinished", "local"):
        monkeypatch.setattr(LocalStore, listing, None)
    assert {metric.name for metric in store_metrics(store, RULES)} <= METRICS.keys()
    [run] = json.loads(plain(store, Layout.runs) or b"")["runs"]
    assert read == [Layout.current, Layout.version("v1"), Layout.runs, Layout.run_report(run["run"])]
