"""A trained model → a folder that transformers reads, and so `embed`, `serve` and sentence-transformers."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from actors.fetch.model_folders import SAFETENSORS
from schemas.layout import MODEL_MANIFEST

ABOUT = "model.json"
"""What a trained model was made from."""


def write_model(
    folder: Path,
    model: Any,
    weights: dict[str, torch.Tensor],
    start: Path,
    same: Iterable[str],
    documents: dict[str, Any],
) -> None:
    """Write the weights under the names that transformers gives them, and JSON documents beside them.

    weights: those of the model's state, whole. same: patterns of files of the start model that are copied, byte for
    byte.
    """
    model.save_pretrained(folder, state_dict=weights, safe_serialization=True)
    written = {path.name for path in folder.glob(SAFETENSORS)} | {"model.safetensors.index.json", MODEL_MANIFEST}
    for path in {path for pattern in same for path in start.glob(pattern)}:
        if path.name not in written:
            shutil.copyfile(path, folder / path.name)
    for name, document in documents.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(document, indent=1))
