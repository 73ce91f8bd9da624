"""A night that waits for Ray ends at its deadline."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import ray

from jobs import ingest, nightly
from jobs.common.writer import writing
from schemas.errors import OverdueError
from tests.support.pubmed.pubmed_files import configured

SECONDS = 30


@ray.remote(num_cpus=0)
def nap() -> None:
    time.sleep(SECONDS)


def get() -> None:
    ray.get(nap.remote())


def wait() -> None:
    ray.wait([nap.remote()])


def stream() -> None:
    def slowly(batch: Any) -> Any:
        time.sleep(SECONDS)
        return batch

    ray.data.range(1).map_batches(slowly).take_all()


@pytest.mark.parametrize("call", [get, wait, stream])
def test_a_stage_that_waits_for_ray_is_ended_the_report_says_so_and_nobody_writes(
    call: Callable[[], None], cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: Any, **__: Any) -> None:
        call()

    monkeypatch.setattr(ingest, "run", run)
    config, begun = configured(tmp_path, "night.stage_seconds.ingest=2"), time.monotonic()
    with pytest.raises(OverdueError):
        nightly.night(config, source="s")
    assert 2 <= time.monotonic() - begun < SECONDS / 2
    [file] = tmp_path.glob("runs/*-nightly/report.json")
    report = json.loads(file.read_text())
    assert (report["outcome"], report["failed"]) == ("failed", "ingest")
    assert report["error"].startswith("ingest took longer than night.stage_seconds.ingest = 2; ")
    with writing(config, "gc"):
        pass
