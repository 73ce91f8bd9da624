"""Where models are looked for before the hub is asked: the folder that PUBRAY_MODELS names, by their hub names."""

from collections.abc import Mapping
from pathlib import Path

from schemas.config import Config
from schemas.encoder import TowerSpec
from schemas.errors import UsageError


def models_root(environment: Mapping[str, str]) -> Path | None:
    """Return the folder that PUBRAY_MODELS names, None if it is not set.

    Raises:
        UsageError: there is no such folder.
    """
    if not (named := environment.get("PUBRAY_MODELS")):
        return None
    root = Path(named).expanduser().absolute()
    if not root.is_dir():
        raise UsageError(f"PUBRAY_MODELS = {str(root)!r}: no such folder; name one that holds OWNER/NAME/ of models")
    return root


def place(model: str, revision: str | None, root: Path | None) -> tuple[str, str | None]:
    """Return where a model is taken from: OWNER/NAME/ or NAME/ in `root`, else as it is configured."""
    if root and not Path(model).expanduser().is_dir():
        for folder in (root / model, root / Path(model).name):
            if folder.is_dir():
                return str(folder), None
    return model, revision


def with_places(config: Config, root: Path | None) -> Config:
    """Replace the hub names of models by their folders in `root`, where it has them."""
    encoder, rerank = config.encoder, config.rerank
    towers = {"query": _placed(encoder.query, root), "article": _placed(encoder.article, root)}
    if rerank.model:
        model, revision = place(rerank.model, rerank.revision, root)
        rerank = rerank.model_copy(update={"model": model, "revision": revision})
    return config.model_copy(update={"encoder": encoder.model_copy(update=towers), "rerank": rerank})


def _placed(tower: TowerSpec, root: Path | None) -> TowerSpec:
    model, revision = place(tower.model, tower.revision, root)
    return tower.model_copy(update={"model": model, "revision": revision})
