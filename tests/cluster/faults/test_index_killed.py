"""Index and compact as processes of their own, killed at every stage and run again: as if never killed."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs import compact, index
from jobs.common.store import served_version, versions
from schemas.article import Article
from schemas.manifest import IndexVersion
from tests.support.models import tiny
from tests.support.processes import kill_all, started, within
from tests.support.stores.made_store import MadeStore

WAIT = 120
ARTICLES = [Article(pmid, title=f"title {pmid}", journal="First") for pmid in range(1, 201)]
NIGHT = [
    *(Article(pmid, title=f"revised {pmid}", journal="First") for pmid in range(1, 60)),
    *(Article(pmid, deleted=True) for pmid in range(60, 64)),
]
SETTINGS = ["index.nlist=4", "index.rows_per_worker=8", "index.num_shards=2"]


@pytest.fixture
def store(cluster: None, tmp_path: Path) -> MadeStore:
    store = MadeStore(tmp_path, tiny.encoder(tmp_path / "model"), *SETTINGS)
    store.publish(ARTICLES)
    return store


def arguments(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """A configuration as options of the command line."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from arguments(value, f"{prefix}{key}.")
        elif key != "store":
            yield from ("--set", f"{prefix}{key}={json.dumps(value)}")


def kill_when(store: MadeStore, job: str, condition: Callable[[], object]) -> None:
    """Start a job as a process, and kill all of it as soon as something is so."""
    options = arguments(store.config.model_dump(mode="json", exclude_none=True))
    with started(store.config.store, *options, job) as process:
        within(WAIT, lambda: condition() or process.poll() is not None)
        assert process.poll() is None, process.communicate()[1]
        kill_all(store.config.store)


def undisturbed(store: MadeStore, job: Any, folder: Path) -> IndexVersion:
    """What the job makes of a copy of the store."""
    copy = Path(shutil.copytree(store.config.store, folder / "copy"))
    config = store.config.with_values(store=str(copy))
    report = job.run(config)
    [version] = [v for v in versions(type(store.files)(str(copy))) if v.id == report.version]
    return version


def assert_as(version: IndexVersion, expected: IndexVersion) -> None:
    timeless = {"created": "", "checks": expected.checks}
    assert version.model_copy(update=timeless) == expected.model_copy(update=timeless)
    assert version.checks == expected.checks


def count(store: MadeStore, pattern: str) -> int:
    return len(list(Path(store.config.store).glob(pattern)))


def kill_with_some_shards(store: MadeStore) -> dict[Path, int]:
    """Kill a build while its workers write; return what they have written."""
    kill_when(store, "index", lambda: count(store, "shards/*/[!.]*") > 4)
    done = {shard: shard.stat().st_mtime_ns for shard in Path(store.config.store).glob("shards/*/[!.]*")}
    assert 4 < len(done) < 2 * len(ARTICLES) / 8
    assert not versions(store.files)
    return done


def test_a_build_that_was_killed_is_as_never_killed_whatever_settings_it_goes_on_with(
    store: MadeStore, tmp_path: Path
) -> None:
    expected = undisturbed(store, index, tmp_path)
    kill_with_some_shards(store)
    store.config = store.config.with_values(index={"rows_per_worker": 50, "min_workers": 1})
    assert_as(store.index(), expected)
    assert not count(store, "shards/*")


@pytest.mark.whole
def test_a_build_that_was_killed_at_every_stage_is_as_never_killed(store: MadeStore, tmp_path: Path) -> None:
    expected = undisturbed(store, index, tmp_path)
    kill_when(store, "index", lambda: count(store, "quantizers/*.faiss"))
    assert not versions(store.files)
    done = kill_with_some_shards(store)
    kill_when(store, "index", lambda: count(store, "segments/[!.]*"))
    assert {shard: shard.stat().st_mtime_ns for shard in done} == done  # made once
    assert not versions(store.files)
    assert_as(store.index(), expected)
    assert not count(store, "shards/*")


@pytest.mark.whole
@pytest.mark.parametrize("stages", ["segments", "tombstones, then segments"])
def test_a_night_that_was_killed_leaves_current_as_it_was(store: MadeStore, tmp_path: Path, stages: str) -> None:
    base = store.promoted(store.index())
    store.publish(NIGHT)
    expected = undisturbed(store, index, tmp_path)
    if "tombstones" in stages:
        kill_when(store, "index", lambda: count(store, "tombstones/*"))
    kill_when(store, "index", lambda: count(store, "segments/[!.]*") > len(base.segments))
    assert (served_version(store.files), versions(store.files)) == (base, [base])
    assert_as(store.promoted(store.index()), expected)


@pytest.mark.whole
def test_a_compaction_that_was_killed_leaves_current_as_it_was(store: MadeStore, tmp_path: Path) -> None:
    store.promoted(store.index())
    store.publish(NIGHT)
    night = store.promoted(store.index())
    expected = undisturbed(store, compact, tmp_path)
    before = count(store, "segments/[!.]*")
    kill_when(store, "compact", lambda: count(store, "segments/[!.]*") > before)
    assert served_version(store.files) == night
    assert_as(store.version(compact.run(store.config)), expected)
