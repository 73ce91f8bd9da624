"""What takes seconds to make is made once per run. Imports are in the fixtures: torch takes seconds, and most tests do
without."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from actors.embed.towers import ArticleTower


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.models import tiny

    return tiny.encoder(tmp_path_factory.mktemp("models") / "encoder")


@pytest.fixture(scope="session")
def tiny_classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.models import tiny

    return tiny.classifier(tmp_path_factory.mktemp("models") / "classifier")


@pytest.fixture(scope="session")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of traced tiny models."""
    return tmp_path_factory.mktemp("traces")


@pytest.fixture(scope="session")
def minilm_torch() -> "ArticleTower":
    from tests.support.models.embedded_model import minilm

    return minilm("torch", "float32")


@pytest.fixture(scope="session")
def minilm_openvino() -> "ArticleTower":
    from tests.support.models.embedded_model import minilm

    return minilm("openvino", "auto")
