"""Whether a process can work on a store that another one has written to."""

import os
from importlib.metadata import version
from pathlib import Path

import pytest
import ray

from actors.store.local_store import LocalStore
from jobs.common.cluster.nodes import price_of, usd_per_hour, why_unfit
from jobs.common.config import load_config
from retrieval.files.checked import write_bytes
from schemas.figures import FIGURES, GPUS

KEY, OWN = "probes/1", version("pubray")


def test_one_that_reads_what_was_written_can(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    write_bytes(store, KEY, KEY.encode())
    assert why_unfit(store, KEY, OWN) is None


def test_one_that_sees_another_folder_or_none_cannot(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    assert (why_unfit(store, KEY, OWN) or "").startswith(f"does not see the store {tmp_path}: ")
    write_bytes(store, KEY, b"of another")
    assert why_unfit(store, KEY, OWN) == f"sees another store at {tmp_path}"


def test_one_of_another_pubray_cannot(tmp_path: Path) -> None:
    assert why_unfit(LocalStore(str(tmp_path)), KEY, "9.9") == f"has pubray {OWN}, this process 9.9"


def test_a_node_costs_what_its_cores_and_gpus_do() -> None:
    core = FIGURES.core_hour.value
    assert price_of({"CPU": 4.0, "memory": 1e9}) == 4 * core
    assert price_of({"CPU": 8.0, "GPU": 2.0, "accelerator_type:L4": 1.0}) == 8 * core + 2 * GPUS["l4"].hour.value


def test_a_gpu_that_is_not_known_is_taken_for_the_dearest() -> None:
    dearest = max(gpu.hour.value for gpu in GPUS.values())
    assert price_of({"GPU": 1.0, "accelerator_type:B200": 1.0}) == price_of({"GPU": 1.0}) == dearest


def test_where_no_cluster_is_joined_it_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    config = load_config(None, ["embed.actors=2"], {"PUBRAY_STORE": "any"})
    machine = (os.cpu_count() or 1) * FIGURES.core_hour.value
    assert usd_per_hour(config.with_values(embed={"num_gpus": 0})) == machine
    assert usd_per_hour(config.with_values(embed={"num_gpus": 1})) == machine + 2 * GPUS["h100"].hour.value
