"""Metrics as they are printed and written, of a folder and of a bucket."""

import time
from pathlib import Path

import pytest

from actors.store.stores import open_store
from jobs import metrics
from jobs.common.run_records import Record
from jobs.common.writer import writing
from retrieval.files.checked import write_bytes
from schemas.config import Config
from schemas.errors import StoreError
from tests.support.s3.moto_server import moto_server
from tests.support.stores.store_files import config


def value(config: Config, name: str) -> float:
    [line] = [line for line in metrics.run(config).text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


def test_they_are_printed_or_written_whole(tmp_path: Path) -> None:
    own, file = config(tmp_path / "store"), tmp_path / "collector" / "pubray.prom"
    Record(open_store(own), "nightly").end("done", {}, None)
    shown = metrics.show(metrics.run(own))
    assert 'pubray_night_outcome{outcome="done"} 1.0\n' in shown
    assert metrics.show(metrics.run(own, file=str(file))) == f"metrics of {own.store} are in {file}"
    assert file.read_text() == f"{shown}\n"
    assert [path.name for path in file.parent.iterdir()] == ["pubray.prom"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="file name too long"):
        metrics.run(config(tmp_path), file=str(tmp_path / f"{'x' * 300}.prom"))


@pytest.mark.parametrize("in_bucket", [False, True])
def test_it_is_told_for_how_long_a_job_writes(tmp_path: Path, in_bucket: bool) -> None:
    with moto_server():
        place = "s3://b-1/metrics" if in_bucket else str(tmp_path / "store")
        own = config(tmp_path).with_values(store=place, cache=str(tmp_path / "cache"))
        with writing(own, "embed"):
            time.sleep(1.1)
            assert 0.1 < value(own, "pubray_lease_age_seconds") < 60
        assert value(own, "pubray_lease_age_seconds") == 0


def test_of_a_bucket_it_is_told_how_much_of_it_is_kept_here(tmp_path: Path) -> None:
    with moto_server():
        own = config(tmp_path).with_values(store="s3://b-1/cached", cache=str(tmp_path / "cache"), cache_bytes=1000)
        assert value(own, "pubray_cache_bytes") == 0
        write_bytes(open_store(own), "selections/a", b"x" * 300, again=True)
        assert (value(own, "pubray_cache_bytes"), value(own, "pubray_cache_limit_bytes")) == (300, 1000)
    assert "pubray_cache" not in metrics.run(config(tmp_path)).text
