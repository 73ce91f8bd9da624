"""Nights of every end: what a webhook is told, the file of metrics, and that nothing of it changes how they end."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from actors.store.local_store import WRITER, LocalStore
from jobs import nightly
from jobs.common.run_records import Record, runs
from jobs.common.writer import writes, writing
from jobs.steps.night import notification
from jobs.steps.night.ending import tells_its_end
from schemas.config import Config
from schemas.errors import CheckError, InputError, StoreError, WriterError
from schemas.night_report import NightReport
from tests.support.reports import night_report
from tests.support.service.webhook import Webhook, webhook
from tests.support.stores.store_files import config

HELD = night_report(version="c", held="b")


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as made:
        yield made


@pytest.fixture
def own(hook: Webhook, tmp_path: Path) -> Config:
    every = ["done", "held", "checks failed", "failed", "interrupted"]
    metrics = str(tmp_path / "collector" / "pubray.prom")
    return config(tmp_path / "store", notify={"url": hook.url, "on": every}, night={"metrics": metrics})


@tells_its_end
@writes("nightly")
def night(config: Config, *, end: NightReport | BaseException) -> NightReport:
    """A night that does nothing but end."""
    record = Record(LocalStore(config.store), "nightly")
    if isinstance(end, BaseException):
        record.end("checks failed" if isinstance(end, CheckError) else "failed", {}, None)
        raise end
    record.end("held" if end.held else "done", {"seconds": end.seconds}, end.version)
    return end


def test_a_night_that_is_done_is_told(own: Config, hook: Webhook) -> None:
    report = night_report(version="b", seconds={"index": 2.0})
    assert night(own, end=report) is report
    [told], [run] = hook.taken, runs(LocalStore(own.store)).runs
    assert 0 <= told.pop("seconds") < 60
    assert told == {
        "outcome": "done",
        "exit_code": 0,
        "why": None,
        "run": run.run,
        "report": f"runs/{run.run}/report.json",
        "store": own.store,
        "version": "b",
    }
    assert own.night.metrics
    text = Path(own.night.metrics).read_text()
    assert 'pubray_night_outcome{outcome="done"} 1.0\n' in text
    assert 'pubray_night_duration_seconds{stage="index"} 2.0\n' in text
    assert "pubray_lease_age_seconds 0.0\n" in text  # it writes no more


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (HELD, ("held", 6, (HELD.trouble or (0, ""))[1])),
        (CheckError("two of a PMID"), ("checks failed", 5, "two of a PMID")),
        (ZeroDivisionError("by\nzero"), ("failed", 1, "ZeroDivisionError: by zero")),
        (KeyboardInterrupt(), ("failed", 130, "KeyboardInterrupt")),
    ],
)
def test_another_end_is_told_with_why(
    end: NightReport | BaseException, told: tuple[str, int, str], own: Config, hook: Webhook
) -> None:
    if isinstance(end, BaseException):
        with pytest.raises(type(end)) as error:
            night(own, end=end)
        assert error.value is end
    else:
        assert night(own, end=end) is end
    [found] = hook.taken
    assert (found["outcome"], found["exit_code"], found["why"]) == told


def test_a_night_tells_its_end(own: Config, hook: Webhook) -> None:
    with pytest.raises(InputError) as error:
        nightly.run(own, source="/nowhere")
    [told] = hook.taken
    assert (told["outcome"], told["why"], told["report"] is None) == ("failed", str(error.value), False)


def test_a_night_that_could_not_begin_is_told_and_none_before_is_taken_for_it(hook: Webhook, own: Config) -> None:
    night(own, end=night_report())
    lock = Path(own.store, WRITER)
    lock.unlink()
    lock.mkdir()  # so that nobody can write
    with pytest.raises(StoreError):
        night(own, end=night_report())
    told = hook.taken[1]
    assert (told["outcome"], told["run"], told["report"]) == ("failed", None, None)
    assert told["why"].startswith(f"store {own.store}: ")


def test_who_waits_for_another_night_tells_nothing(own: Config, hook: Webhook) -> None:
    with writing(own, "index"), ThreadPoolExecutor(1) as pool, pytest.raises(WriterError):
        pool.submit(night, own, end=night_report()).result()
    assert hook.taken == []


def test_whatever_fails_of_it_is_one_line(
    own: Config, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(notification, "httpx", None)  # any error of our own
    long = own.with_values(night={"metrics": str(tmp_path / ("x" * 300))})
    report = night_report()
    assert night(long, end=report) is report
    metrics, notified = capfd.readouterr().err.splitlines()
    assert metrics.startswith("metrics   left out: ")
    assert "file name too long" in metrics
    assert notified == "notify    left out: AttributeError"
