"""A deployment grows under load and shrinks after it, and no request fails meanwhile."""

import httpx
import pytest

from tests.cluster.conftest import Service
from tests.support.processes import within
from tests.support.service.service_load import Load

TEXT = "insulin and glucose in the blood of rats"
WAIT_SECONDS = 120


def encoders(url: str) -> int:
    """How many replicas of the encoder answer, as the service's own metrics say."""
    labels = "ray_serve_deployment_replica_healthy{", 'deployment="encoder"'
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return sum(line.endswith(" 1.0") for line in lines if all(label in line for label in labels))


@pytest.mark.whole
def test_encoders_come_with_load_and_go_after_it_without_a_failed_request(real_service: Service) -> None:
    url, config = real_service
    body: dict[str, object] = {"model": f"{config.encoder.name}:query", "input": [TEXT] * 8}
    within(WAIT_SECONDS, lambda: encoders(url) == 2)
    with Load(url, body, path="/v1/embeddings") as heavy:
        within(WAIT_SECONDS, lambda: encoders(url) == 3)
    with Load(url, body | {"input": [TEXT]}, clients=1, path="/v1/embeddings") as light:
        within(WAIT_SECONDS, lambda: encoders(url) == 2)
    for load in (heavy, light):
        assert (load.statuses(), load.errors) == ({200}, [])
