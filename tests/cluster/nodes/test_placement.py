"""A night on labelled nodes: work of each kind runs where it belongs, and nowhere else."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.campaign.round import CONFIG
from tests.campaign.world import World
from tests.support.clusters.labelled_cluster import LabelledCluster, Node, labelled_cluster
from tests.support.models import tiny

SOON = 20
"""Seconds in which it is known, with the start of a process on two busy cores."""
NIGHT = ("ingest", "tokenise", "train", "build", "merge", "check")
PLACES = {
    "cpu": {
        "parse_source",
        "make_snapshot",
        "TokenizeRange",
        "WriteRange",
        "train",
        "build_worker_shards",
        "find_wanted",
        "merge",
        "write_answers",
        "check_rows",
        "measure_recall",
    },
    "encode": {"EncodeRange"},
}
"""What runs in a first night, by where it belongs."""


@pytest.fixture(scope="module")
def nodes() -> Iterator[LabelledCluster]:
    with labelled_cluster([Node("cpu"), Node("encode", gpus=1), Node("serve-cpu")]) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, a configuration in which work has its places, and source files."""
    folder = tmp_path_factory.mktemp("night")
    tiny.encoder(folder / "model")
    placement = [f'{work} = "cpu"' for work in NIGHT] + ['encode = "encode"']
    text = CONFIG.format(folder=folder, dimension=tiny.DIMENSION).replace("actors = 1", "num_gpus = 1")
    (folder / "config.toml").write_text("\n".join([text, "[placement]", *placement]))
    world = World(folder / "issued", random.Random(1), pubmed=True)
    world.offer(folder / "source", [world.issue() for _ in range(3)])
    return folder


def options(night: Path, *arguments: str) -> tuple[str, ...]:
    return str(night / "store"), "--config", str(night / "config.toml"), *arguments


@pytest.mark.whole
def test_work_runs_on_the_nodes_of_its_group_alone(nodes: LabelledCluster, night: Path) -> None:
    done = nodes.run(*options(night, "nightly", "--source", str(night / "source")))
    assert done.code == 0, done.error
    ran = nodes.groups()
    for group, works in PLACES.items():
        for work in works:
            found = [groups for name, groups in ran.items() if work in name]
            assert found, f"{work} is not among {sorted(ran)}"
            assert all(groups == {group} for groups in found), (work, ran)
    assert not {name for name, groups in ran.items() if "serve-cpu" in groups}  # not even a question


def test_what_no_node_can_hold_is_refused_at_once(nodes: LabelledCluster, night: Path, tmp_path: Path) -> None:
    _, *words = options(night, "--set", 'placement.ingest="none"', "nightly", "--source", str(night / "source"))
    begun = time.monotonic()
    done = nodes.run(str(tmp_path / "store"), *words)
    assert done.code == 2
    assert done.last.startswith("pubray: placement.ingest = 'none', but no node has the label pubray-group=none, nor")
    assert time.monotonic() - begun < SOON
