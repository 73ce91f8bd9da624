"""What tasks of index reserve follows from what is there."""

import math
from pathlib import Path
from typing import Any

import pytest

from actors.store.local_store import LocalStore
from jobs.steps.index import reservations
from jobs.steps.index.reservations import building, checking, merging, training
from retrieval.files.checked import write_bytes
from retrieval.operate import memory
from schemas.layout import Layout
from tests.support.stores.store_files import config


@pytest.fixture(autouse=True)
def placed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cluster: what is reserved is told as it is asked for, and four cores are free."""

    def place(placement: object, work: str, held: float, **more: float) -> dict[str, Any]:
        return {"work": work, "memory": held, **more}

    monkeypatch.setattr(reservations, "place", place)
    monkeypatch.setattr(reservations, "free_cores", lambda config, work: 4)


def test_the_quantizer_counts_as_large_as_it_is(tmp_path: Path) -> None:
    own = config(tmp_path)
    write_bytes(LocalStore(own.store), Layout.quantizer("q"), bytes(1000))
    dimension = own.encoder.dimension
    assert building(own, "q", 50) == {"work": "build", "memory": memory.of_worker(50, dimension, 1000)}
    assert merging(own, "q", 50) == {"work": "merge", "memory": memory.of_merge(50, 1000)}
    assert checking(own, 50, "q") == {"work": "check", "memory": memory.of_checks(50, 1000)}
    assert checking(own, 50) == {"work": "check", "memory": memory.of_checks(50)}


def test_one_that_is_lost_is_left_to_those_who_read_it_to_tell(tmp_path: Path) -> None:
    assert merging(config(tmp_path), "lost", 50)["memory"] == memory.of_merge(50, 0)


def test_k_means_has_the_cores_that_are_free_and_a_gpu_where_the_encoders_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nodes come as they are needed, too: a group without GPUs never gets a node that has one."""
    monkeypatch.setattr(reservations, "most_of", lambda resource, group: math.inf)
    own = config(tmp_path).with_values(embed={"num_gpus": 0.5})
    held = memory.of_training(500, 16, own.encoder.dimension)
    wanted = {"work": "train", "memory": held, "cores": 4, "gpus": 0.5}
    assert training(own, 16, 500) == (wanted, 4)
    apart = own.with_values(placement={"train": "cpu", "encode": "encode"})
    assert training(apart, 16, 500) == (wanted | {"gpus": 0.0}, 4)
    assert training(own.with_values(embed={"num_gpus": 0}), 16, 500) == (wanted | {"gpus": 0}, 4)
