"""What a night keeps of the logs of a cluster."""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray

from actors.store.local_store import LocalStore
from jobs import nightly
from jobs.common.run_records import runs
from jobs.steps.night.run_logs import RunLogs
from schemas.config import PlacementConfig
from schemas.layout import Layout
from tests.support.models import tiny
from tests.support.stores.made_store import MadeStore

pytestmark = pytest.mark.usefixtures("cluster")


@ray.remote
def complain() -> None:
    sys.stderr.write("a worker says made-secret to http://host/?api_key=another\n")
    sys.stderr.flush()


def kept(store: LocalStore, run: str, log: str) -> str:
    return (store.read(Layout.run_log(run, log)) or b"").decode()


def test_what_workers_complain_of_is_kept_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "made-secret")
    store = LocalStore(str(tmp_path))
    logs = RunLogs(store, "r", PlacementConfig())
    ray.get(complain.remote())
    assert "workers.log" in logs.keep()
    told = kept(store, "r", "workers.log")
    assert "a worker says *** to http://host/?api_key=***" in told
    assert ":job_id:" not in told


def test_a_night_keeps_its_logs_and_its_page_names_them(tmp_path: Path) -> None:
    made = MadeStore(tmp_path, tiny.encoder(tmp_path / "model"), "index.nlist=4")
    table = {"pmid": [*range(1, 41)], "title": [f"title {pmid}" for pmid in range(1, 41)], "abstract": ["statin"] * 40}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    nightly.run(made.config, source=str(tmp_path / "a.parquet"))
    store = LocalStore(made.config.store)
    [run] = [run.run for run in runs(store).runs if run.job == "nightly"]
    driver = kept(store, run, "driver.log")
    assert [stage for stage in ("ingest", "snapshot", "embed", "check") if f" {stage:9} " not in driver] == []
    assert "Execution plan of Dataset" in kept(store, run, "ray-data.log")
    page = (store.read(Layout.run_page(run)) or b"").decode()
    assert ['href="logs/driver.log"' in page, 'href="logs/ray-data.log"' in page, "title 1</dd>" in page] == [True] * 3
