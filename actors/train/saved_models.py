"""Trained towers → models of the store, which `embed`, `serve` and sentence-transformers read."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from actors.fetch.model_folders import SAFETENSORS, TEXTS
from actors.fetch.stored_models import keep_trained
from actors.train.trained_towers import SIDES, Side, Towers
from retrieval.train.model_files import sentence_transformers_files
from retrieval.train.soup import soup
from schemas.encoder import EncoderSpec
from schemas.store import Store

ABOUT = "model.json"
"""What a trained model was made from."""


def saved(store: Store, towers: Towers, start: Towers, share: float, about: dict[str, Any], work: Path) -> EncoderSpec:
    """Put the towers into the store; return the spec by which they are used.

    share: of the trained weights in what is kept; the rest are the start model's. work: a folder for what is made.
    """
    files = sentence_transformers_files(towers.spec) if len(towers.models) == 1 else {}
    names: dict[Side, str] = {}
    for side in [side for side in SIDES if side in towers.models]:
        folder, model = work / side, towers.models[side]
        _write(folder, model, start.of[side], towers.folders[side], share)
        for path, document in {**files, ABOUT: about}.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(json.dumps(document, indent=1))
        names[side] = keep_trained(store, folder)
    placed = {side: {"model": names.get(side, names["article"]), "revision": None} for side in SIDES}
    spec = towers.spec
    return spec.model_copy(
        update={side: getattr(spec, side).model_copy(update=placed[side]) for side in SIDES}
        | {"name": f"{spec.name}-trained"}
    )


def _write(folder: Path, model: Any, start: torch.nn.Module, source: Path, share: float) -> None:
    """Write the weights under the names that transformers gives them; all else is the start model's, byte for byte."""
    with torch.no_grad():
        mixed = soup(dict(start.named_parameters()), dict(model.named_parameters()), share)
        for name, parameter in model.named_parameters():
            parameter.copy_(mixed[name])
    model.save_pretrained(folder, safe_serialization=True)
    weights = {path.name for path in folder.glob(SAFETENSORS)} | {"model.safetensors.index.json"}
    for pattern in TEXTS:
        for path in source.glob(pattern):
            if path.name not in weights and path.name != "pubray.json":
                shutil.copyfile(path, folder / path.name)
