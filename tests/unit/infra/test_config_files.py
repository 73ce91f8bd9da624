"""Every shipped configuration is one that the jobs take."""

import re
from pathlib import Path

import pytest

from jobs.common.config import load_config

FILES = sorted((Path(__file__).parents[3] / "infra" / "config").glob("*.toml"))
BMRETRIEVERS = [file for file in FILES if file.name.startswith("bmretriever")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_is_read(file: Path) -> None:
    config = load_config(str(file), [], {})
    assert Path(config.store).is_absolute()


def test_there_are_those_that_the_readme_names() -> None:
    sizes = {f"bmretriever-{size}.toml" for size in ("410m", "1b", "2b", "7b")}
    assert {file.name for file in FILES} >= {"demo.toml", "medcpt.toml", *sizes}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_hub_model_is_pinned_to_a_commit(file: Path) -> None:
    encoder = load_config(str(file), [], {}).encoder
    for tower in (encoder.query, encoder.article):
        assert tower.model.startswith("embedded:") or re.fullmatch("[0-9a-f]{40}", tower.revision or "")


@pytest.mark.parametrize("file", BMRETRIEVERS, ids=lambda file: file.name)
def test_bmretrievers_differ_in_their_weights_alone(file: Path) -> None:
    encoder, other = (load_config(str(f), [], {}).encoder for f in (file, BMRETRIEVERS[0]))
    same = {"name": other.name, "dimension": other.dimension}
    assert encoder.identity() | same == other.identity()
    assert encoder.query.task == other.query.task
    assert encoder.query.model == encoder.article.model == f"BMRetriever/{encoder.name}"
    assert file.stem == encoder.name.lower()
