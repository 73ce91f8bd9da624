"""A deployment grows under load and shrinks after it, and no request fails meanwhile."""

import time
from collections.abc import Iterator

import httpx
import pytest

from jobs import serve
from schemas.config import Config, DeploymentConfig
from schemas.manifest import IndexVersion
from tests.cluster.conftest import free_port, stop_serving
from tests.support.service_load import Load

TEXT = "insulin and glucose in the blood of rats"
QUICK = DeploymentConfig(
    max_replicas=3, target_ongoing_requests=1, max_batch_size=4, upscale_delay_s=2, downscale_delay_s=3
)
WAIT_SECONDS = 90


@pytest.fixture(scope="module")
def url(version: IndexVersion, config: Config) -> Iterator[str]:
    rerank = config.rerank.model_copy(update={"kind": "none"})
    network = config.serve.model_copy(update={"port": free_port(), "encoder": QUICK})
    yield serve.deploy(config.model_copy(update={"rerank": rerank, "serve": network}))
    stop_serving()


def encoders(url: str) -> int:
    """How many replicas of the encoder answer, as the service's own metrics say."""
    labels = "ray_serve_deployment_replica_healthy{", 'deployment="encoder"'
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return sum(line.endswith(" 1.0") for line in lines if all(label in line for label in labels))


def wait_for(url: str, replicas: int) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while (found := encoders(url)) != replicas:
        assert time.monotonic() < deadline, f"{found} encoders, not {replicas}"
        time.sleep(0.2)


def test_encoders_come_with_load_and_go_after_it_without_a_failed_request(url: str, config: Config) -> None:
    body: dict[str, object] = {"model": f"{config.encoder.name}:query", "input": [TEXT] * 8}
    wait_for(url, 1)
    with Load(url, body, path="/v1/embeddings") as heavy:
        wait_for(url, 3)
    with Load(url, body | {"input": [TEXT]}, clients=1, path="/v1/embeddings") as light:
        wait_for(url, 1)
    for load in (heavy, light):
        assert (load.statuses(), load.errors) == ({200}, [])
