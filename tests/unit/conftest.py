"""What takes seconds to make is made once per run."""

from pathlib import Path

import pytest

from actors.embed.towers import ArticleTower
from tests.support import tiny
from tests.support.models import minilm


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.encoder(tmp_path_factory.mktemp("models") / "encoder")


@pytest.fixture(scope="session")
def tiny_classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.classifier(tmp_path_factory.mktemp("models") / "classifier")


@pytest.fixture(scope="session")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of traced tiny models."""
    return tmp_path_factory.mktemp("traces")


@pytest.fixture(scope="session")
def minilm_torch() -> ArticleTower:
    return minilm("torch", "float32")


@pytest.fixture(scope="session")
def minilm_openvino() -> ArticleTower:
    return minilm("openvino", "auto")
