from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray._private.label_utils import validate_node_label_syntax
from ray.autoscaler._private.util import prepare_config, validate_config

CLUSTER_FILE = Path(__file__).parents[3] / "ray_cluster.yaml"


@pytest.fixture
def cluster() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(CLUSTER_FILE.read_text())
    return loaded


def test_ray_accepts_the_file(cluster: dict[str, Any]) -> None:
    validate_config(prepare_config(cluster))


def test_a_misspelt_key_is_refused(cluster: dict[str, Any]) -> None:
    cluster["available_node_types"]["encode"]["max_worker"] = 8

    with pytest.raises(jsonschema.ValidationError, match="max_worker"):
        validate_config(prepare_config(cluster))


def test_five_groups_each_with_its_label(cluster: dict[str, Any]) -> None:
    groups = cluster["available_node_types"]

    assert list(groups) == ["head", "cpu", "encode", "serve-cpu", "serve-gpu"]
    for name, group in groups.items():
        validate_node_label_syntax(group["labels"])
        assert group["labels"] == {"pubray-group": name}


def test_limits_of_groups_and_cluster_agree(cluster: dict[str, Any]) -> None:
    workers = [group for name, group in cluster["available_node_types"].items() if name != "head"]

    assert cluster["max_workers"] == sum(group["max_workers"] for group in workers)
    assert all(group["min_workers"] <= group["max_workers"] for group in workers)


def test_only_encoding_runs_on_spot(cluster: dict[str, Any]) -> None:
    spot = [
        name
        for name, group in cluster["available_node_types"].items()
        if group["node_config"].get("InstanceMarketOptions") == {"MarketType": "spot"}
    ]

    assert spot == ["encode"]
