"""Trained towers → models of the store, and the encoder that they are."""

from pathlib import Path
from typing import Any

import torch

from actors.fetch.model_folders import TEXTS
from actors.fetch.stored_models import keep_trained
from actors.train.retriever.trained_towers import SIDES, Side, Towers
from actors.train.saved_models import ABOUT, write_model
from retrieval.train.model_files import sentence_transformers_files
from schemas.encoder import EncoderSpec
from schemas.store import Store


def saved(
    store: Store, towers: Towers, weights: dict[str, dict[str, torch.Tensor]], about: dict[str, Any], work: Path
) -> EncoderSpec:
    """Put the towers into the store; return the spec by which they are used.

    weights: of each tower, whole. work: a folder for what is made.
    """
    files = sentence_transformers_files(towers.spec) if len(towers.models) == 1 else {}
    names: dict[Side, str] = {}
    for side in [side for side in SIDES if side in towers.models]:
        model, start = towers.models[side], towers.folders[side]
        write_model(work / side, model, weights[side], start, TEXTS, {**files, ABOUT: about})
        names[side] = keep_trained(store, work / side)
    placed = {side: {"model": names.get(side, names["article"]), "revision": None} for side in SIDES}
    spec = towers.spec
    return spec.model_copy(
        update={side: getattr(spec, side).model_copy(update=placed[side]) for side in SIDES}
        | {"name": f"{spec.name}-trained"}
    )
