"""What a task reserves, and that what no node can hold is refused with the arithmetic."""

from types import SimpleNamespace
from typing import Any, get_args

import pytest
import ray

from jobs.common.cluster import placement
from jobs.common.cluster.placement import (
    LABEL,
    NIGHT_WORK,
    SERVICE_WORK,
    free_cores,
    largest,
    most_nodes,
    most_of,
    nodes_for,
    nodes_of,
    place,
)
from jobs.common.config import load_config
from schemas.config import PlacementConfig, Work
from schemas.errors import UsageError

ANYWHERE = PlacementConfig()
CPU_GROUP = PlacementConfig(build="cpu")


def node(name: str, group: str | None = None, **resources: float) -> dict[str, Any]:
    labels = {LABEL: group} if group else {}
    return {"NodeID": name, "Alive": True, "Labels": labels, "Resources": {"memory": 8e9, **resources}}


@pytest.fixture(autouse=True)
def nodes(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A head that takes no tasks, two nodes for CPU work and one with a GPU; no autoscaler."""
    there = [
        node("head", CPU=0),
        node("a", "cpu", CPU=2),
        node("b", "cpu", CPU=4),
        node("c", "encode", CPU=16, GPU=1),
        {"NodeID": "dead", "Alive": False, "Labels": {LABEL: "cpu"}, "Resources": {"CPU": 64, "memory": 1e12}},
    ]
    monkeypatch.setattr(ray, "nodes", lambda: there)
    monkeypatch.setattr(placement, "is_scaled", lambda: False)
    monkeypatch.setattr(placement, "SETTLING", 0.0)
    return there


def test_each_kind_of_work_has_a_place() -> None:
    assert set(get_args(Work)) == set(PlacementConfig.model_fields)


def test_what_is_reserved_is_told_to_ray() -> None:
    assert place(ANYWHERE, "build", 1e9, cores=2) == {"num_cpus": 2, "num_gpus": 0, "memory": 1_000_000_000}
    there = place(PlacementConfig(encode="encode"), "encode", 1.5, cores=0.01, gpus=1)
    assert there == {"num_cpus": 0.01, "num_gpus": 1, "memory": 2, "label_selector": {LABEL: "encode"}}


@pytest.mark.parametrize(
    ("asked", "config", "message"),
    [
        (
            {"cores": 5},
            CPU_GROUP,
            "build takes 5 CPUs and 1.0 GB of memory of one node; those of group 'cpu' have 2 CPUs and 8.0 GB of "
            "memory or 4 CPUs and 8.0 GB of memory, and there will be no others; give it a larger one",
        ),
        (
            {"gpus": 2},
            PlacementConfig(build="encode"),
            "build takes 1 CPUs and 2 GPUs and 1.0 GB of memory of one node; those of group 'encode' have 16 CPUs and "
            "1 GPUs and 8.0 GB of memory, and there will be no others; give it a larger one",
        ),
        (
            {},
            PlacementConfig(build="fast"),
            "placement.build = 'fast', but no node has the label pubray-group=fast, nor can one come that has it and "
            "1 CPUs and 1.0 GB of memory; start ray with --labels=pubray-group=fast on some, or name another group",
        ),
    ],
)
def test_what_no_node_can_hold_is_refused(asked: dict[str, float], config: PlacementConfig, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        place(config, "build", 1e9, **asked)
    assert str(caught.value) == message


def test_memory_counts_on_one_node_with_the_cores(nodes: list[dict[str, Any]]) -> None:
    nodes.append(node("d", CPU=1, memory=64e9))
    assert place(ANYWHERE, "build", 60e9, cores=1)
    with pytest.raises(UsageError, match=r"build takes 2 CPUs and 60\.0 GB"):
        place(ANYWHERE, "build", 60e9, cores=2)


def test_where_nodes_are_started_as_they_are_needed_what_can_come_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = dict[str, Any]()
    monkeypatch.setattr(placement, "is_scaled", lambda: True)
    monkeypatch.setattr(placement, "can_come", lambda wanted, labels: not asked.update(wanted | labels))
    assert place(PlacementConfig(build="fast"), "build", 1e12, cores=64)["num_cpus"] == 64
    assert asked == {"CPU": 64, "GPU": 0, "memory": 1_000_000_000_000, LABEL: "fast"}
    assert most_of("GPU") == most_nodes("fast") == float("inf")
    monkeypatch.setattr(placement, "can_come", lambda wanted, labels: False)
    with pytest.raises(UsageError, match="nor can one come that has it and 64 CPUs"):
        place(PlacementConfig(build="fast"), "build", 1e12, cores=64)


def test_there_is_as_much_as_the_nodes_of_a_group_have() -> None:
    assert (most_of("CPU"), most_of("CPU", "cpu"), most_of("GPU", "cpu"), most_of("GPU")) == (22, 6, 0, 1)
    assert (nodes_of(None), nodes_of("cpu"), nodes_of("none")) == (3, 2, 0)
    assert (most_nodes("cpu"), largest("CPU", "cpu"), largest("GPU", None), largest("GPU", "none")) == (2, 4, 1, 0)


def test_the_nodes_for_a_night_are_those_of_its_groups_and_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    context = SimpleNamespace(get_node_id=lambda: "head")
    monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
    placed = PlacementConfig.model_validate(dict.fromkeys(NIGHT_WORK, "cpu") | dict.fromkeys(SERVICE_WORK, "encode"))
    assert [node["NodeID"] for node in nodes_for(placed, NIGHT_WORK)] == ["head", "a", "b"]
    assert [node["NodeID"] for node in nodes_for(placed, SERVICE_WORK)] == ["head", "c"]
    anywhere = placed.model_copy(update={"train": None})
    assert [node["NodeID"] for node in nodes_for(anywhere, NIGHT_WORK)] == ["head", "a", "b", "c"]


def free(**groups: str) -> int:
    config = load_config(None, [], {}).with_values(placement=groups, night={"cores": 7})
    return free_cores(config, "train")


def test_the_cores_are_those_of_the_node_that_has_most_of_them_free(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"a": {"CPU": 2.0}, "b": {"CPU": 1.5}, "c": {"CPU": 15.75}}
    monkeypatch.setattr(placement, "SETTLING", 0.1)
    monkeypatch.setattr(placement, "available_resources_per_node", lambda: there)
    assert (free(train="cpu"), free(train="encode"), free(train="none")) == (2, 15, 1)
    monkeypatch.setattr(placement, "is_scaled", lambda: True)
    assert (free(train="cpu"), free(train="none")) == (2, 7)  # of a node that comes


def test_what_the_job_before_gives_back_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([{"b": {"CPU": 3.5}}, {"b": {"CPU": 4.0}}])
    monkeypatch.setattr(placement, "SETTLING", 5.0)
    monkeypatch.setattr(placement, "available_resources_per_node", lambda: next(answers))
    assert free(train="cpu") == 4
