"""What Ray's metrics endpoint says of a job."""

import time

import httpx
import ray

from jobs.common.cluster.ray_metrics import EmbedMetrics
from schemas.vector import EmbedCounts

SECONDS = 40


def test_what_was_embedded_can_be_scraped(cluster: None) -> None:
    metrics = EmbedMetrics()
    metrics.add(EmbedCounts(encoded=3, encode_seconds=0.5))
    metrics.add(EmbedCounts(encoded=4, probed=2, probe_cosine=-0.5))  # of encoders that do not agree at all
    [node, *_] = ray.nodes()  # type: ignore[no-untyped-call]
    url = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    for _ in range(SECONDS):
        lines = httpx.get(url, timeout=10).text.splitlines()
        found = {line.split("{")[0]: float(line.split()[-1]) for line in lines if line.startswith("ray_pubray_embed")}
        if found.get("ray_pubray_embed_encoded_total", 0) >= 7:
            break
        time.sleep(1)
    assert found["ray_pubray_embed_encoded_total"] >= 7  # other tests of this cluster embed too
    assert found["ray_pubray_embed_encode_seconds_total"] >= 0.5
