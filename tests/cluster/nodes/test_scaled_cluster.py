"""A cluster whose nodes come as they are needed: a night brings them, and what no group can hold ends it at once."""

import random
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from tests.campaign.round import CONFIG
from tests.campaign.world import World
from tests.support.clusters.labelled_cluster import LabelledCluster, Node
from tests.support.clusters.scaled_cluster import scaled_cluster
from tests.support.models import tiny

SOON = 30
"""Seconds in which it is known, with the start of a process on two busy cores."""
NIGHT_SECONDS = 30
"""Of what comes before an encoder is placed."""
NIGHT = ("ingest", "tokenise", "train", "build", "merge", "check")


@pytest.fixture(scope="module")
def cluster() -> Iterator[LabelledCluster]:
    with scaled_cluster([Node("cpu", cpus=2), Node("encode", cpus=1, gpus=1)]) as started:
        yield started


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Of a night whose work has places."""
    folder = tmp_path_factory.mktemp("night")
    tiny.encoder(folder / "model")
    placement = [f'{work} = "cpu"' for work in NIGHT] + ['encode = "encode"']
    text = CONFIG.format(folder=folder, dimension=tiny.DIMENSION).replace("actors = 1", "num_gpus = 1")
    (folder / "config.toml").write_text("\n".join([text, "[placement]", *placement]))
    world = World(folder / "issued", random.Random(1), pubmed=True)
    world.offer(folder / "source", [world.issue() for _ in range(3)])
    return ["--config", str(folder / "config.toml"), "nightly", "--source", str(folder / "source")]


@pytest.mark.whole
def test_what_no_group_can_hold_ends_the_night(cluster: LabelledCluster, words: list[str], tmp_path: Path) -> None:
    begun = time.monotonic()
    done = cluster.run(str(tmp_path / "store"), "--set", 'placement.ingest="none"', *words)
    assert done.code == 2, done.error
    assert done.last.startswith("pubray: placement.ingest = 'none', but no node has the label pubray-group=none, nor")
    assert time.monotonic() - begun < SOON


@pytest.mark.whole
def test_a_night_brings_its_nodes(cluster: LabelledCluster, words: list[str], tmp_path: Path) -> None:
    done = cluster.run(str(tmp_path / "store"), *words)
    assert done.code == 0, done.error
    ran = cluster.groups()
    assert ran["parse_source"] == {"cpu"}, ran
    assert {*chain(*(groups for name, groups in ran.items() if "EncodeRange" in name))} == {"encode"}, ran


@pytest.mark.whole
def test_what_is_too_large_for_the_nodes_of_a_group_is_told_beside_what_they_have(
    cluster: LabelledCluster, words: list[str], tmp_path: Path
) -> None:
    begun = time.monotonic()
    done = cluster.run(str(tmp_path / "store"), "--set", "embed.num_gpus=2", *words)
    assert done.code == 2, done.error
    assert "those of group 'encode' have 1 CPUs and 1 GPUs and 8.0 GB of memory" in done.last
    assert time.monotonic() - begun < SOON + NIGHT_SECONDS
