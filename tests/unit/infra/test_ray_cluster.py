import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray._private.label_utils import validate_node_label_syntax
from ray.autoscaler._private.util import prepare_config, validate_config

from jobs.common.cluster.placement import LABEL
from jobs.common.config import load_config

ROOT = Path(__file__).parents[3]
NOTICE = "infra/aws/spot_notice.sh"
CLUSTER_FILE, CONFIG = ROOT / "ray_cluster.yaml", ROOT / "infra" / "config" / "medcpt-cluster.toml"


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


def test_each_node_has_the_label_of_its_group(cluster: dict[str, Any]) -> None:
    groups = cluster["available_node_types"]

    assert list(groups) == ["head", "cpu", "encode", "serve-cpu", "serve-gpu"]
    for name, group in groups.items():
        validate_node_label_syntax(group["labels"])
        assert group["labels"] == {LABEL: name}


def test_work_is_placed_on_groups_that_there_are(cluster: dict[str, Any]) -> None:
    placement = load_config(str(CONFIG), [], {}).placement.model_dump()

    there = {group["labels"][LABEL] for group in cluster["available_node_types"].values()}
    assert {*placement.values()} == there - {"head"}


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


def test_no_command_ends_the_shell_that_runs_it(cluster: dict[str, Any]) -> None:
    """Ray gives a shell each command as its own argument, so that `pkill -f` would find it there."""
    commands = [*cluster["head_start_ray_commands"], *cluster["worker_start_ray_commands"]]
    patterns = [pattern for command in commands for pattern in re.findall(r"pkill -f '([^']+)'", command)]
    assert patterns
    assert all("pkill" not in command or "pkill -f '" in command for command in commands)
    assert not [
        command for command in commands for of in re.findall(r"pkill -f '([^']+)'", command) if re.search(of, command)
    ]
    assert any(re.search(pattern, f"/home/ubuntu/pubray/{NOTICE}") for pattern in patterns)


def test_drivers_find_pubray(cluster: dict[str, Any]) -> None:
    """A job has the environment in which Ray was started."""
    starts = [c for of in ("head", "worker") for c in cluster[f"{of}_start_ray_commands"] if "ray start" in c]
    assert len(starts) == 2
    assert all("PATH=~/venv/bin:$PATH" in command.partition("ray start")[0] for command in starts)
