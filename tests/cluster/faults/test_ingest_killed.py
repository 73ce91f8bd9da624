"""Ingest as a process of its own: stopped by Ctrl-C, killed midway and run again; and the memory of a worker."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import ray

from actors.fetch.embedded_wheels import embedded_folder
from actors.store.local_store import LocalStore
from jobs.common.store import article_parts, ingested, newest_snapshot
from jobs.steps.ingest.source_files import parse_source
from retrieval.articles.article import ArticlePart
from schemas.config import Config
from schemas.layout import SOURCES, Layout
from tests.support.processes import kill_all, processes, started, within
from tests.support.pubmed.file_server import Fault, FileServer
from tests.support.pubmed.made_year import write_reissue
from tests.support.pubmed.pubmed_files import BASELINE, UPDATE, configured, cut, ingest_into, real_records

FILES = [f"pubmed26n000{number}" for number in range(1, 9)]
STALL = 10_000
WAIT, STOP = 120, 60
"""Seconds that something may take, and that a stop may take, on a machine however busy."""
MEGABYTES_OF_A_WORKER = 400


@pytest.fixture
def server(cache: Path, tmp_path: Path) -> Iterator[FileServer]:
    """Serves a baseline of eight files, 4,000 real records: each takes a quarter of a second to parse."""
    real = cut(tmp_path / "real" / f"{BASELINE}.xml.gz", real_records(cache, BASELINE, 4_000))
    write_reissue([real], tmp_path / "server" / "baseline", 26, records_per_file=500)
    (tmp_path / "server" / "updatefiles").mkdir()
    with FileServer(tmp_path / "server") as server:
        yield server


@pytest.fixture
def config(server: FileServer, tmp_path: Path) -> Config:
    return configured(tmp_path / "store", *settings(server.url))


def settings(url: str) -> list[str]:
    return [f"ingest.ncbi_url={url}", "ingest.contact=me@example.org", "ingest.jitter_seconds=0"]


def arguments(config: Config) -> list[str]:
    own = [word for setting in settings(config.ingest.ncbi_url) for word in ("--set", setting)]
    return [*own, "ingest", "--source", "ncbi", "--json"]


def transfers(server: FileServer) -> dict[str, int]:
    """Bytes that were sent of every source file."""
    sent = dict.fromkeys(FILES, 0)
    for request in server.requests:
        if request.path.endswith(".xml.gz"):
            sent[request.path.rpartition("/")[2].removesuffix(".xml.gz")] += request.sent
    return sent


def part_times(objects: LocalStore) -> dict[str, int]:
    return {name: objects.path(Layout.article_part(name)).stat().st_mtime_ns for name in article_parts(objects)}


def content(config: Config) -> Any:
    """The newest snapshot, whole."""
    store = LocalStore(config.store)
    snapshot = ingested(store)
    info = snapshot.info.model_dump(exclude={"part_files"})  # which has times
    return snapshot.id, info, pq.read_table(store.path(snapshot.key)).to_pydict()


def kill_in_the_parse(config: Config) -> dict[str, int]:
    """Run it as a process, kill all of it in the midst of parsing; return the parts that are there."""
    objects, done = LocalStore(config.store), article_parts(LocalStore(config.store))
    sources = [objects.path(SOURCES) / f"{name}.xml.gz" for name in FILES]
    with started(config.store, *arguments(config)):
        within(WAIT, lambda: len(article_parts(objects)) > len(done) and all(source.exists() for source in sources))
        kill_all(config.store)
    assert len(done) < len(article_parts(objects)) < len(FILES)
    assert newest_snapshot(objects) is None
    return part_times(objects)


def assert_finishes(server: FileServer, config: Config, done: dict[str, int], folder: Path) -> None:
    """Run again: what is missing is made, what is there is left alone, and the result is as if never disturbed."""
    objects = LocalStore(config.store)
    report = ingest_into(config, "ncbi")
    assert report.files == len(FILES)
    assert report.ingested <= len(FILES) - len(done)
    assert article_parts(objects) == set(FILES)  # and no temporary file that a kill left
    assert part_times(objects) | done == part_times(objects)
    sizes = {name: (server.folder / "baseline" / f"{name}.xml.gz").stat().st_size for name in FILES}
    assert transfers(server) == sizes
    undisturbed = config.with_values(store=str(folder / "undisturbed"))
    ingest_into(undisturbed, "ncbi")
    assert content(undisturbed) == content(config)


def stall_all_but_one(server: FileServer) -> None:
    for name in FILES[1:]:
        server.always(f"/baseline/{name}.xml.gz", Fault(stall=STALL))


def wait_for_stalled_downloads(objects: LocalStore) -> None:
    """Wait until the one file is parsed, and of two others the beginning is there."""
    parts = [objects.path(SOURCES) / f".{name}.xml.gz.part" for name in FILES[1:3]]
    within(WAIT, lambda: article_parts(objects) and all(p.exists() and p.stat().st_size == STALL for p in parts))


def stop(process: subprocess.Popen[str], config: Config) -> None:
    """Press Ctrl-C: it ends within seconds, with one line."""
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=STOP)
    within(STOP, lambda: not processes(config.store))
    assert process.returncode == 130, err
    assert err.strip().splitlines()[-1] == "pubray: stopped; what is finished is kept, run it again to go on"
    assert "Traceback" not in err
    assert newest_snapshot(LocalStore(config.store)) is None


def test_stopped_by_ctrl_c_in_the_download_then_killed_in_the_parse_and_run_again_is_as_never_disturbed(
    cluster: None, server: FileServer, config: Config, tmp_path: Path
) -> None:
    assert_goes_on(server, config, tmp_path, lambda process: stop(process, config))


@pytest.mark.whole
def test_killed_in_the_download_and_in_the_parse_then_run_again_is_as_never_killed(
    cluster: None, server: FileServer, config: Config, tmp_path: Path
) -> None:
    assert_goes_on(server, config, tmp_path, lambda process: kill_all(config.store))


def assert_goes_on(
    server: FileServer, config: Config, folder: Path, end: Callable[["subprocess.Popen[str]"], None]
) -> None:
    """Ended in the download, then killed in the parse, a run makes what one makes that was never disturbed."""
    objects = LocalStore(config.store)
    stall_all_but_one(server)
    with started(config.store, *arguments(config)) as process:
        wait_for_stalled_downloads(objects)
        end(process)
    assert article_parts(objects) == {FILES[0]}
    assert newest_snapshot(objects) is None
    server.heal()
    done = kill_in_the_parse(config)
    assert server.asked(f"/baseline/{FILES[1]}.xml.gz")[1].range == f"bytes={STALL}-"
    assert_finishes(server, config, done, folder)


@pytest.mark.whole
def test_ctrl_c_in_the_download_and_in_the_parse_ends_within_seconds_with_one_line(
    cluster: None, server: FileServer, config: Config
) -> None:
    objects, stalled = LocalStore(config.store), f"/baseline/{FILES[0]}.xml.gz"
    server.always(stalled, Fault(stall=STALL))
    with started(config.store, *arguments(config)) as process:
        within(WAIT, lambda: article_parts(objects) and server.asked(stalled)[0].sent == STALL)
        stop(process, config)
    done = article_parts(objects)
    assert FILES[0] not in done
    server.heal()
    report = ingest_into(config, "ncbi")
    assert (report.ingested, report.alive) == (len(FILES) - len(done), 500 * len(FILES))
    assert [request.range for request in server.asked(stalled)] == [None, f"bytes={STALL}-"]


@ray.remote
def parsed_alone(objects: LocalStore, source: Path) -> tuple[ArticlePart, float]:
    """Parse as `parse_source` does, in a worker that does nothing else; return its peak of resident memory, in MB."""
    sources = LocalStore(str(source.parent))
    part: ArticlePart = parse_source._function(objects, sources, source.name, 0)  # type: ignore[attr-defined]
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak
    return part, int(peak[1]) / 1024


def test_a_worker_reads_a_file_of_233_mb_in_bounded_memory(cluster: None, cache: Path, tmp_path: Path) -> None:
    source = embedded_folder("pubmed", cache) / f"{UPDATE}.xml.gz"
    # Another environment is another worker process.
    task = parsed_alone.options(num_cpus=1, runtime_env={"env_vars": {"PUBRAY_TEST": "memory"}})
    part, megabytes = ray.get(task.remote(LocalStore(str(tmp_path)), source))
    assert (part.ref.rows, part.ref.deletions) == (20_808, 20)
    assert megabytes < MEGABYTES_OF_A_WORKER
