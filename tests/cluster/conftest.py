"""One Ray cluster for all tests of this folder, and a small store built on it from real PubMed citations."""

import gzip
import re
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import ray
import ray.serve
from isal import igzip

import jobs.serve
from actors.fetch.embedded_wheels import embedded_folder
from jobs import embed, index, ingest, promote
from jobs.common.cluster import connect
from jobs.common.config import load_config
from jobs.common.store import open_layout, read_current, served_version
from jobs.demo import DEMO
from jobs.steps.stages import run_job
from schemas.config import Config
from schemas.manifest import IndexVersion
from tests.support.embedded_stores import PARTS, SETTINGS
from tests.support.made_year import write_reissue
from tests.support.pubmed_files import BASELINE, configured, cut, ingest_into, real_records

RECORD = re.compile(rb"  <PubmedArticle>.*?</PubmedArticle>\n", re.DOTALL)
PMID = re.compile(rb"<PMID Version=\"\d+\">(\d+)<")
QUERIES = tomllib.loads((DEMO / "queries.toml").read_text())["query"]
DISTRACTORS = 100


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    connect()
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def cache() -> Path:
    return Path("~/.cache/pubray").expanduser()


@pytest.fixture(scope="session")
def sources(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the demo's queries ask for, among the first citations of both embedded files, under the files' names."""
    folder = tmp_path_factory.mktemp("sources")
    wanted = {pmid for query in QUERIES for pmid in query["relevant"]}
    for name in ("pubmed20n0014.xml.gz", "pubmed21n1298.xml.gz"):
        with igzip.IGzipFile(embedded_folder("pubmed", cache) / name) as file:  # type: ignore[no-untyped-call]
            records = RECORD.findall(file.read())
        relevant = [record for record in records if int(pmid_of(record)) in wanted]
        content = b"<PubmedArticleSet>\n" + b"".join(records[:DISTRACTORS] + relevant) + b"</PubmedArticleSet>\n"
        (folder / name).write_bytes(gzip.compress(content))
    return folder


def pmid_of(record: bytes) -> bytes:
    """Return the citation's own PMID, which comes first."""
    match = PMID.search(record)
    assert match
    return match[1]


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The demo's configuration over a store of its own, cut into many small parts."""
    store = tmp_path_factory.mktemp("store")
    settings = ["embed.rows_per_part=64", "embed.actors=1", "index.num_shards=2", f"serve.port={free_port()}"]
    return load_config(None, settings, {"PUBRAY_STORE": str(store)})


@pytest.fixture(scope="session")
def version(cluster: None, config: Config, sources: Path) -> IndexVersion:
    run_job(ingest, config, "--source", str(sources))
    run_job(embed, config)
    built = run_job(index, config)
    assert read_current(open_layout(config)) is None  # built is not served
    run_job(promote, config, built["version"])
    return served_version(open_layout(config))


@pytest.fixture(scope="session")
def real(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 300 real records, from which others can be made."""
    return cut(tmp_path_factory.mktemp("real") / f"{BASELINE}.xml.gz", real_records(cache, BASELINE, 300))


@pytest.fixture(scope="session")
def embedded(cluster: None, real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """To be copied: a folder `source` with the baseline of 2026, three files of 100 records, and its `store`."""
    folder = tmp_path_factory.mktemp("embedded")
    write_reissue([real], folder / "source", 26, records_per_file=100)
    config = configured(folder / "store", *SETTINGS)
    ingest_into(config, folder / "source")
    assert run_job(embed, config)["embedded_parts"] == PARTS
    return folder


@pytest.fixture(scope="session")
def unselected(embedded: Path) -> list[int]:
    """The articles of that store without an abstract."""
    columns = [pq.read_table(part, columns=["pmid", "abstract"]) for part in (embedded / "store/articles").iterdir()]
    return [row["pmid"] for table in columns for row in table.to_pylist() if not row["abstract"]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stop_serving() -> None:
    """End Ray Serve too, so that the next test can serve at another port of the same cluster."""
    jobs.serve.shutdown()
    ray.serve.shutdown()  # type: ignore[no-untyped-call]
