"""The dashboard's queries, against a real Prometheus that asks the real service."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from schemas.manifest import IndexVersion
from tests.cluster.conftest import Service
from tests.support.ports import free_port
from tests.support.processes import within

MONITORING = Path(__file__).parents[3] / "infra" / "monitoring"
TARGETS = {
    panel["title"]: panel["targets"][0] for panel in json.loads((MONITORING / "grafana.json").read_text())["panels"]
}
WAIT_SECONDS = 120


@pytest.fixture(scope="module")
def url(real_service: Service) -> str:
    return real_service.url


@pytest.fixture(scope="module")
def prometheus(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed; apt-get install prometheus")
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    settings = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    settings["global"]["scrape_interval"] = "1s"
    settings["rule_files"] = [str(MONITORING / name) for name in settings["rule_files"]]
    for job in settings["scrape_configs"]:
        job.pop("file_sd_configs", None)
        job["static_configs"] = [{"targets": [url.removeprefix("http://")]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    listen = [f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.path={folder}/data"]
    process = subprocess.Popen(["prometheus", f"--config.file={folder}/prometheus.yml", *listen])
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(20)


def values(prometheus: str, expression: str) -> list[Any]:
    """What a query gives; none before the first scrape, or while Prometheus starts."""
    query = expression.replace("$__rate_interval", "30s")
    try:
        answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": query}).json()
    except httpx.HTTPError:
        return []
    if answer["status"] == "success":
        return [v for v in answer["data"]["result"] if v["value"][1] != "NaN"]
    assert answer["errorType"] == "unavailable", answer
    return []


def is_shown(prometheus: str, target: dict[str, str]) -> bool:
    """Return whether a query gives something, and each line of it the labels that the legend names."""
    labels = re.findall(r"{{(\w+)}}", target["legendFormat"])
    lines = [value["metric"].keys() for value in values(prometheus, target["expr"])]
    return bool(lines) and all(line >= {*labels} for line in lines)


def test_the_service_tells_of_its_store(url: str, version: IndexVersion) -> None:
    served = f'pubray_version_info{{version="{version.id}",snapshot="{version.snapshot}"}} 1'
    within(30, lambda: f'pubray_current_info{{version="{version.id}"}} 1' in httpx.get(f"{url}/metrics").text)
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    assert served in lines
    assert f"pubray_articles {version.articles}" in lines
    assert 'pubray_night_outcome{outcome="done"} 1.0' in lines
    assert any(line.startswith("ray_") for line in lines)


def test_every_panel_has_something_to_show(url: str, prometheus: str) -> None:
    missing = TARGETS
    deadline = time.monotonic() + WAIT_SECONDS
    while missing and time.monotonic() < deadline:
        for query in ("insulin", f"insulin {time.monotonic()}"):  # one of the kept answers, and one that needs work
            body = {"query": query, "candidates": 5}
            assert httpx.post(f"{url}/v1/search", json=body, timeout=60).status_code == 200
        missing = {title: target for title, target in missing.items() if not is_shown(prometheus, target)}
        time.sleep(1)
    assert missing == {}
    selections = {found for target in TARGETS.values() for found in re.findall(r"(\w+){(\w+)=", target["expr"])}
    assert len(selections) > 2
    assert [found for found in selections if not values(prometheus, '{}{{{}!=""}}'.format(*found))] == []
