"""The embedded model, loaded as the tests want it."""

from pathlib import Path

from actors.embed.towers import ArticleTower
from schemas.config import EngineConfig
from schemas.encoder import PREFIX, EncoderSpec, TowerSpec
from tests.support.models import tiny

CACHE = Path("~/.cache/pubray").expanduser()
"""The user's own, so that the embedded model is downloaded once and not by every run."""


def minilm(kind: str, precision: str) -> ArticleTower:
    tower = TowerSpec(model=f"{PREFIX}all-MiniLM-L6-v2", max_length=128)
    spec = EncoderSpec(name="MiniLM", query=tower, article=tower, pooling="mean", normalize=True, dimension=384)
    engine = EngineConfig.model_validate({"kind": kind, "precision": precision, "batch_tokens": 1024})
    return ArticleTower(tiny.config(spec, engine, CACHE), 1)
