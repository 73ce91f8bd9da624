from pathlib import Path

import pytest

from jobs.steps.embed import embed_pipeline
from jobs.steps.embed.embed_pipeline import beside, encoders
from tests.support.stores.store_files import config


@pytest.mark.parametrize(("actors", "ranges", "expected"), [(1, 3, 1), (4, 3, 3), (2, 0, 0)])
def test_there_are_no_more_actors_than_ranges(actors: int, ranges: int, expected: int, tmp_path: Path) -> None:
    assert encoders(config(tmp_path, embed={"actors": actors}), ranges) == (expected, expected)


@pytest.mark.parametrize(
    ("num_gpus", "there", "ranges", "most"), [(1, 8, 100, 8), (0.5, 8, 100, 16), (1, 8, 3, 3), (1, 0, 100, 1)]
)
def test_there_are_as_many_as_gpus_can_be_had(
    num_gpus: float, there: float, ranges: int, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed_pipeline, "most_of", lambda resource, group: there)
    assert encoders(config(tmp_path, embed={"num_gpus": num_gpus}), ranges) == (1, most)


def test_where_they_are_started_as_they_are_needed_the_configuration_limits_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed_pipeline, "most_of", lambda resource, group: float("inf"))
    assert encoders(config(tmp_path, embed={"num_gpus": 1, "max_actors": 8}), 100) == (1, 8)


def test_without_gpus_there_is_one_a_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed_pipeline, "most_nodes", lambda group: 3)
    assert encoders(config(tmp_path), 100) == (1, 3)


@pytest.mark.parametrize(
    ("embed", "gpus", "wanted"),
    [
        ({}, 0, 1),  # one a node
        ({"num_gpus": 1}, 8, 6),  # as many as it has GPUs, but no more than there are
        ({"num_gpus": 0.5}, 1, 2),
        ({"num_gpus": 1}, 0, 1),  # of a node that is still to come nothing is known
        ({"actors": 6}, 0, 2),
    ],
)
def test_actors_share_the_cores_of_their_node(
    embed: dict[str, float], gpus: float, wanted: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed_pipeline, "nodes_of", lambda group: 3)
    monkeypatch.setattr(embed_pipeline, "largest", lambda resource, group: gpus)
    assert beside(config(tmp_path, embed=embed), 6) == wanted
