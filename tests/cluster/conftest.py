"""One Ray cluster for all tests of this folder, and a small store built on it from real PubMed citations."""

import gzip
import re
import socket
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from jobs import embed, index, ingest, promote
from jobs.cluster import connect
from jobs.config import load_config
from jobs.store import open_layout, read_current, served_version
from retrieval.embedded import embedded_folder
from schemas.config import Config
from schemas.manifest import IndexVersion

RECORD = re.compile(rb"  <PubmedArticle>.*?</PubmedArticle>\n", re.DOTALL)
CITATIONS = 150


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
    """The first citations of both embedded files, as two small files of the same names."""
    folder = tmp_path_factory.mktemp("sources")
    for name in ("pubmed20n0014.xml.gz", "pubmed21n1298.xml.gz"):
        with gzip.open(embedded_folder("pubmed", cache) / name) as file:
            records = RECORD.findall(file.read(6_000_000))[:CITATIONS]
        assert len(records) == CITATIONS
        content = b"<PubmedArticleSet>\n" + b"".join(records) + b"</PubmedArticleSet>\n"
        (folder / name).write_bytes(gzip.compress(content))
    return folder


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The demo's configuration over a store of its own, cut into many small parts."""
    store = tmp_path_factory.mktemp("store")
    settings = ["embed.rows_per_part=64", "embed.actors=1", "index.num_shards=2", f"serve.port={free_port()}"]
    return load_config(None, settings, {"PUBRAY_STORE": str(store)})


@pytest.fixture(scope="session")
def version(cluster: None, config: Config, sources: Path) -> IndexVersion:
    ingest.run(config, Namespace(source=str(sources)))
    embed.run(config, Namespace())
    built = index.run(config, Namespace())
    assert read_current(open_layout(config)) is None  # built is not served
    promote.run(config, Namespace(version=built["version"]))
    return served_version(open_layout(config))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
