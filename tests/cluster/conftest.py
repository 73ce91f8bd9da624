"""One Ray cluster for all tests of this folder; a small store built on it from real PubMed citations; two services."""

import gzip
import hashlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest
import ray
import ray.serve
from isal import igzip

from actors.fetch.embedded_wheels import embedded_folder
from actors.store.local_store import LocalStore
from jobs import embed, index, ingest, promote, serve
from jobs.common.cluster.joining import connect
from jobs.common.config import load_config
from jobs.common.run_records import Record
from jobs.common.store import read_current, served_version
from jobs.steps.demo.demo_data import DEMO
from schemas.article import Article
from schemas.config import Config, DeploymentConfig, EngineConfig, RerankConfig
from schemas.manifest import IndexVersion
from tests.support.models import tiny
from tests.support.ports import free_port
from tests.support.pubmed.made_year import write_reissue
from tests.support.pubmed.pubmed_files import BASELINE, configured, cut, ingest_into, real_records
from tests.support.s3.moto_server import moto_server
from tests.support.stores.embedded_stores import PARTS, SETTINGS
from tests.support.stores.made_store import MadeStore

RECORD = re.compile(rb"  <PubmedArticle>.*?</PubmedArticle>\n", re.DOTALL)
PMID = re.compile(rb"<PMID Version=\"\d+\">(\d+)<")
QUERIES = tomllib.loads((DEMO / "queries.toml").read_text())["query"]
DISTRACTORS = 100
KEY = "a key of the test"
MAY_WAIT = 6
"""Items for the encoder of the service of made articles."""
SECONDS = 60
"""How long a request to that may take: the first ones trace their models."""
RERANK_LENGTH = 20
SERVICES = ("made_service", "real_service")
"""In this order, after all other tests: a service takes seconds to start, and holds half of the cluster's CPUs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of a service beside one another, and those that disturb it last."""
    order = dict(zip(SERVICES, (1, 2), strict=True))
    items.sort(key=lambda item: max(order.get(name, 0) for name in ("", *getattr(item, "fixturenames", ()))))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with moto_server():  # workers are to know it
        connect(load_config(None, [], {"PUBRAY_STORE": str(tmp_path_factory.mktemp("any"))}))
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
    ingest.run(config, source=str(sources))
    embed.run(config)
    built = index.run(config)
    assert read_current(LocalStore(config.store)) is None  # built is not served
    promote.run(config, version=built.version)
    Record(LocalStore(config.store), "nightly").end("done", {"seconds": {"index": 1.0}}, built.version)
    return served_version(LocalStore(config.store))


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
    assert embed.run(config).embedded_parts == PARTS
    return folder


@pytest.fixture(scope="session")
def unselected(embedded: Path) -> list[int]:
    """The articles of that store without an abstract."""
    columns = [pq.read_table(part, columns=["pmid", "abstract"]) for part in (embedded / "store/articles").iterdir()]
    return [row["pmid"] for table in columns for row in table.to_pylist() if not row["abstract"]]


class Serving:
    """The service that was asked for last: tests that ask for the same one share it."""

    def __init__(self) -> None:
        self._config: Config | None = None
        self._url = ""

    def url(self, config: Config) -> str:
        """Where the service of a configuration is, which is started unless it is the one that runs."""
        if config != self._config:
            self.end()
            self._config, self._url = config, serve.deploy(config)
        return self._url

    def end(self) -> None:
        """End Ray Serve too, so that the next one can serve at another port of the same cluster."""
        if self._config:
            serve.shutdown()
            ray.serve.shutdown()  # type: ignore[no-untyped-call]
        self._config = None


@pytest.fixture(scope="session")
def serving(cluster: None) -> Iterator[Serving]:
    serving = Serving()
    yield serving
    serving.end()


class Service(NamedTuple):
    """Where it is, and its configuration."""

    url: str
    config: Config


TWO = DeploymentConfig(min_replicas=2, max_replicas=2, num_cpus=0.1)
QUICK = DeploymentConfig(
    min_replicas=2,
    max_replicas=3,
    num_cpus=0.1,
    target_ongoing_requests=1,
    max_batch_size=4,
    upscale_delay_s=2,
    downscale_delay_s=3,
)


@pytest.fixture(scope="session")
def real_service(serving: Serving, version: IndexVersion, config: Config) -> Service:
    """The demo's service of that version: replicas can be killed, and those of the encoder grow to three."""
    network = config.serve.model_copy(update={"port": free_port(), "encoder": QUICK, "searcher": TWO})
    own = config.model_copy(update={"serve": network})
    return Service(serving.url(own), own)


def edition(night: int) -> list[Article]:
    """All made articles of one night; each title says which, and each abstract is another."""
    count = len(tiny.WORDS)
    words = [" ".join(tiny.WORDS[word % count] for word in (pmid, pmid // count, 5 * pmid)) for pmid in range(1, 31)]
    return [
        Article(pmid, title=f"asthma in mice, night {night} of {pmid}", abstract=f"{text} {text} {text}")
        for pmid, text in enumerate(words, 1)
    ]


@pytest.fixture(scope="session")
def made_store(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> MadeStore:
    """A store of made articles that a service with a cross-encoder and an API key is configured over."""
    folder = tmp_path_factory.mktemp("made-service")
    made = MadeStore(folder, tiny.encoder(folder / "model"), "index.nlist=4", "index.max_deltas=50")
    keys = folder / "keys"
    keys.write_text(f"{hashlib.sha256(KEY.encode()).hexdigest()}  # of the test\n")
    narrow = DeploymentConfig(target_ongoing_requests=1, max_batch_size=1, max_waiting=MAY_WAIT)
    network = {"port": free_port(), "api_keys": str(keys), "seconds": SECONDS, "encoder": narrow}
    model = str(tiny.classifier(folder / "classifier"))
    made.config = made.config.model_copy(
        update={
            "engine": EngineConfig(precision="float32"),
            "rerank": RerankConfig(
                kind="cross-encoder", model=model, max_length=RERANK_LENGTH, candidates=10, seconds=SECONDS
            ),
            "serve": made.config.serve.model_copy(update=network),
        }
    )
    made.publish(edition(1))
    made.promoted(made.index())
    return made


@pytest.fixture(scope="session")
def made_service(serving: Serving, made_store: MadeStore) -> Service:
    """The service of that store."""
    return Service(serving.url(made_store.config), made_store.config)
