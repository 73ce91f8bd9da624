"""What takes seconds to make is made once per run."""

from pathlib import Path

import pytest

from actors.encoder import ArticleTower
from retrieval.embedded import PREFIX
from schemas.config import EngineConfig
from schemas.encoder import EncoderSpec, TowerSpec
from tests.unit.actors import tiny

CACHE = Path("~/.cache/pubray").expanduser()
"""The user's own, so that the embedded model is downloaded once and not by every run."""


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


def minilm(kind: str, precision: str) -> ArticleTower:
    tower = TowerSpec(model=f"{PREFIX}all-MiniLM-L6-v2", max_length=128)
    spec = EncoderSpec(name="MiniLM", query=tower, article=tower, pooling="mean", normalize=True, dimension=384)
    engine = EngineConfig.model_validate({"kind": kind, "precision": precision, "batch_tokens": 1024})
    return ArticleTower(spec, engine, threads=2, cache=CACHE)


@pytest.fixture(scope="session")
def minilm_torch() -> ArticleTower:
    return minilm("torch", "float32")


@pytest.fixture(scope="session")
def minilm_openvino() -> ArticleTower:
    return minilm("openvino", "auto")
