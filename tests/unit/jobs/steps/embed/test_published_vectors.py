from pathlib import Path

import pytest

from jobs.steps.embed.published_vectors import published_folder
from schemas.errors import UsageError
from tests.support.stores.store_files import config


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    medcpt = config(tmp_path).with_values(encoder={"name": "MedCPT"})
    assert published_folder(medcpt, "/chunks") == "/chunks"
    assert not list(tmp_path.iterdir())


def test_another_encoder_has_no_published_vectors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"configured encoder is 'tiny'; use infra/config/medcpt\.toml"):
        published_folder(config(tmp_path), "ncbi")
