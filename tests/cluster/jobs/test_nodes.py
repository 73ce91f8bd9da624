"""Nodes that see the store are worked with, others are named."""

import os
from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from jobs.common.cluster.nodes import check_nodes
from jobs.common.cluster.placement import NIGHT_WORK, nodes_for
from schemas.config import Config, PlacementConfig
from schemas.errors import StoreError


def test_nodes_that_see_the_store_are_worked_with(cluster: None, config: Config) -> None:
    check_nodes(LocalStore(config.store), nodes_for(config.placement, NIGHT_WORK))
    assert not list(LocalStore(config.store).names("probes"))


def test_a_node_that_has_a_disk_of_its_own_is_named(cluster: None, tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:  # a path that is another one in each process
        with pytest.raises(StoreError, match=r"^node .* does not see the store /proc/self/fd/.*; mend it, or take it"):
            check_nodes(LocalStore(f"/proc/self/fd/{folder}/store"), nodes_for(PlacementConfig(), NIGHT_WORK))
    finally:
        os.close(folder)
    assert not list(LocalStore(str(tmp_path / "store")).names("probes"))
