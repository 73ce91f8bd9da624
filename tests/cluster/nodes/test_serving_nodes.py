"""The service on several nodes, where `serve deploy` brings it: shards spread, encoders come and go, a node is lost."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from jobs import embed, index, ingest, promote, search
from jobs.common.config import load_config
from schemas.config import Config
from tests.campaign.round import CONFIG
from tests.support.clusters.labelled_cluster import LabelledCluster, Node, labelled_cluster
from tests.support.models import tiny
from tests.support.ports import free_port
from tests.support.processes import frozen, within
from tests.support.service.service_load import Load
from tests.support.stores.made_source import write_source

pytestmark = pytest.mark.whole
ARTICLES, CLIENTS, WAIT = 300, 4, 120
NODES = [*[Node("searchers", cpus=2)] * 3, Node("models", cpus=2, gpus=3)]
SETTINGS = [
    "index.num_shards=2",
    "serve.cached=0",
    "serve.seconds=60",
    'placement.api="models"',
    'placement.query_encoder="models"',
    'placement.searcher="searchers"',
    "serve.searcher.num_cpus=1",
    "serve.searcher.min_replicas=2",
    "serve.searcher.max_replicas=2",
    "serve.searcher.max_replicas_per_node=1",
    "serve.api.num_cpus=0.1",
    "serve.encoder.num_cpus=0.1",
    "serve.encoder.num_gpus=1",
    "serve.encoder.max_replicas=3",
    "serve.encoder.target_ongoing_requests=1",
    "serve.encoder.max_batch_size=1",
    "serve.encoder.upscale_delay_s=2",
    "serve.encoder.downscale_delay_s=3",
]
QUERIES = [" ".join(tiny.WORDS[i : i + 3]) for i in range(len(tiny.WORDS) - 3)]


@dataclass
class Deployed:
    """A service on nodes."""

    nodes: LabelledCluster
    config: Config
    file: Path
    url: str

    def deploy(self, *settings: str) -> None:
        """Let Ray Serve bring it to a configuration."""
        application = {
            "name": "pubray",
            "import_path": "jobs.serve:app",
            "args": {"config": str(self.file), "set": [*SETTINGS, f"store={self.config.store}", *settings]},
        }
        port = int(self.url.rpartition(":")[2])
        wanted = {"http_options": {"host": "127.0.0.1", "port": port}, "applications": [application]}
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(wanted, file)
            file.flush()
            command = [
                str(Path(sys.executable).with_name("serve")),
                "deploy",
                file.name,
                "--address",
                self.nodes.dashboard,
            ]
            environment = self.nodes.environment(self.config.store)
            subprocess.run(command, check=True, capture_output=True, env=environment)

    def replicas(self, part: str) -> dict[bytes, bytes]:
        """Return the replicas, each with its node."""
        return self.nodes.alive(f"ServeReplica:pubray:{part}")

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def hits(self, query: str) -> list[Any]:
        answer = httpx.post(f"{self.url}/v1/search", json={"query": query}, timeout=60).raise_for_status()
        return [(hit["id"], hit["score"]) for hit in answer.json()["hits"]]


@pytest.fixture(scope="module")
def service(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("serving")
    tiny.encoder(folder / "model")
    file = folder / "config.toml"
    file.write_text(CONFIG.format(folder=folder, dimension=tiny.DIMENSION))
    config = load_config(str(file), ["index.num_shards=2"], {"PUBRAY_STORE": str(folder / "store")})
    write_source(folder / "source", "base", range(1, ARTICLES + 1))
    ingest.run(config, source=str(folder / "source"))
    embed.run(config)
    promote.run(config, version=index.run(config).version)
    with labelled_cluster(NODES, dashboard=True) as nodes:
        deployed = Deployed(nodes, config, file, f"http://127.0.0.1:{free_port()}")
        deployed.deploy()
        within(WAIT, deployed.is_ready)
        yield deployed


def alone(config: Config, query: str) -> list[Any]:
    """What one process answers."""
    return [(hit.id, hit.score) for hit in search.run(config, query=query).hits]


def asked(number: int) -> dict[str, object]:
    return {"query": QUERIES[number % len(QUERIES)]}


def test_shards_on_several_nodes_answer_as_one_machine_does(service: Deployed) -> None:
    searchers = ("searcher-0", "searcher-1")
    within(WAIT, lambda: all(len(set(service.replicas(name).values())) == 2 for name in searchers))
    for query in QUERIES:
        assert service.hits(query) == alone(service.config, query)


def test_encoders_come_with_load_and_go_after_it(service: Deployed) -> None:
    [encoder] = service.nodes.workers("ServeReplica:pubray:encoder")
    with Load(service.url, asked, clients=8) as heavy:
        heavy.go_on(20)
        with frozen([encoder]):  # so that calls wait
            within(WAIT, lambda: len(service.replicas("encoder")) == 3)
        heavy.go_on(20)
    with Load(service.url, asked, clients=1) as light:
        within(WAIT, lambda: len(service.replicas("encoder")) == 1)
    for load in (heavy, light):
        assert (load.statuses(), load.errors) == ({200}, [])


def test_another_configuration_takes_over_without_a_failed_request(service: Deployed) -> None:
    before = service.replicas("api")
    with Load(service.url, asked, clients=CLIENTS) as load:
        load.go_on(20)
        service.deploy("serve.seconds=50")
        within(WAIT, lambda: not before.keys() & service.replicas("api").keys() and service.is_ready())
        load.go_on(20)
    assert [(one.status_code, one.text) for one in load.answers if not one.is_success] == []
    assert load.errors == []


def test_a_node_that_is_lost_costs_what_it_had_in_hand(service: Deployed) -> None:
    with Load(service.url, asked, clients=CLIENTS) as load:
        load.go_on(20)
        assert service.nodes.kill_node_with("ServeReplica:pubray:searcher-0")
        load.go_on(20)
        within(WAIT, lambda: len(set(service.replicas("searcher-0").values())) == 2)
        load.go_on(20)
    failed = [answer.status_code for answer in load.answers if not answer.is_success]
    assert set(failed) <= {503}
    # Where the api was on that node too its clients get no answer at all.
    assert len(failed) + len(load.errors) <= CLIENTS
    for query in QUERIES:
        assert service.hits(query) == alone(service.config, query)
