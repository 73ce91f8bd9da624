"""What a night will take, of stores that are written by hand."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from actors.store.local_store import LocalStore
from jobs import nightly
from jobs.common.run_records import Record
from jobs.steps.night import dry_run as module
from jobs.steps.night.dry_run import forecast
from schemas.article import Article
from schemas.config import Config
from schemas.manifest import Current
from schemas.night_report import NightForecast
from schemas.run import NightFigures
from tests.support.stores.hand_made_version import write_version
from tests.support.stores.store_files import add_part, add_snapshot, add_versions, set_current
from tests.support.stores.store_files import config as any_config


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "store"))


@pytest.fixture
def config(store: LocalStore) -> Config:
    return any_config(Path(store.root))


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A file of 7 bytes that may be there already, and one of 700 that is new."""
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "a.xml").write_text("content")
    (folder / "b.xml").write_text("content" * 100)
    return str(folder)


def forecast_of(config: Config, source: str) -> NightForecast:
    before = sorted(Path(config.store).rglob("*"))
    found = forecast(config, source, without=None, with_file=None)
    assert sorted(Path(config.store).rglob("*")) == before  # nothing was changed
    return found


def test_of_an_empty_store_all_is_new(config: Config, source: str) -> None:
    found = forecast_of(config, source)
    assert (found.files, found.bytes, found.nights, found.compaction, found.failures) == (2, 707, 0, None, ())
    assert found.encoded == found.records
    assert found.hours > 0
    assert found.usd > 0
    assert found.free["this machine"] > 0


def test_parquet_says_how_many_records_it_has(config: Config, tmp_path: Path) -> None:
    table = pa.table({"pmid": range(1, 301), "title": ["x"] * 300, "abstract": ["y"] * 300})
    pq.write_table(table, tmp_path / "a.parquet")
    assert forecast_of(config, str(tmp_path / "a.parquet")).records == 300


def test_what_is_new_is_guessed_by_what_is_there_and_by_the_nights_before(
    store: LocalStore, config: Config, source: str
) -> None:
    add_snapshot(store, [add_part(store, "a", Article(1), Article(2), source_bytes=7)])
    night = NightFigures(
        articles=2, bytes=1, dead_rows=0, recall_at_10=1, encoded=10, articles_per_second=0.1, seconds=150
    )
    Record(store, "nightly").end("done", {}, None, night)
    found = forecast_of(config, source)
    assert (found.files, found.bytes, found.records) == (1, 700, 200)
    assert found.encoded == 120 + 2  # six in ten of the new records, and what was ingested and is not encoded yet
    assert found.nights == 1
    assert found.hours == pytest.approx((122 / 0.1 + 50) / 3600)


def test_a_compaction_that_comes_is_told_and_needs_room(
    store: LocalStore, config: Config, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_snapshot(store, [add_part(store, "a", Article(1), Article(2), source_bytes=7)])
    made = write_version(store)
    add_versions(store, "v", of=made)
    set_current(store, Current(version="v"))
    config = config.with_values(index={"max_deltas": 1})
    found = forecast_of(config, source)
    assert found.compaction == "2 deltas, more than index.max_deltas = 1"
    assert found.node_bytes == 2 * made.bytes
    assert found.trouble is None
    monkeypatch.setattr(module, "free_bytes", lambda folder: 1)
    found = forecast_of(config, source)
    assert found.trouble
    assert "this machine has 0.0 GB free, a compaction needs" in found.trouble[1]


def test_it_is_asked_for_by_dry_run_and_shown(config: Config, source: str) -> None:
    report = nightly.run(config, source=source, dry_run=True)
    assert isinstance(report, NightForecast)
    assert "by pubray plan" in nightly.show(report)
    assert not Path(config.store).exists()
