"""Where models are looked for before the hub is asked: the folder that PUBRAY_MODELS names, by their hub names."""

from collections.abc import Mapping
from pathlib import Path

from schemas.config import Config, RerankConfig
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
    return config.with_values(
        encoder={"query": _placed(encoder.query, root), "article": _placed(encoder.article, root)},
        rerank=_placed(rerank, root),
    )


def _placed(named: TowerSpec | RerankConfig, root: Path | None) -> dict[str, str | None]:
    model, revision = place(named.model, named.revision, root) if named.model else (None, named.revision)
    return {"model": model, "revision": revision}
