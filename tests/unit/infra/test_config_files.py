"""Every shipped configuration is one that the jobs take."""

from pathlib import Path

import pytest

from jobs.config import load_config

FILES = sorted((Path(__file__).parents[3] / "infra" / "config").glob("*.toml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_is_read(file: Path) -> None:
    config = load_config(str(file), [], {})
    assert Path(config.store).is_absolute()


def test_there_are_the_two_that_the_readme_names() -> None:
    assert {file.name for file in FILES} >= {"demo.toml", "medcpt.toml"}
