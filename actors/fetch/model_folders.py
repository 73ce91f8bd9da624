"""Where the weights of a model lie: a folder, an embedded model, or a pinned revision of the model hub."""

import hashlib
from pathlib import Path

from actors.fetch.embedded_wheels import embedded_folder
from actors.fetch.model_hub import BIN, SAFETENSORS, hub_folder
from schemas.encoder import PREFIX, TowerDigests, TowerSpec
from schemas.errors import InputError, WeightsError


def model_folder(model: str, revision: str | None, cache: Path, *, weights: bool = True) -> Path:
    """Return the local folder of a model; what is not local yet is fetched (`weights` false: of a hub JSON files only).

    Raises:
        WeightsError: there is no such folder, and the hub does not give it.
    """
    if model.startswith(PREFIX):
        return embedded_folder(model.removeprefix(PREFIX), cache)
    if (folder := Path(model).expanduser()).is_dir():
        return folder
    if revision is None:
        raise WeightsError(f"model {model!r}: no such folder, and no revision to fetch from a model hub; give one")
    return hub_folder(model, revision, weights=weights)


def tower_digests(tower: TowerSpec, cache: Path) -> TowerDigests:
    """Return the digests of the files that a tower is loaded from."""
    return model_digests(model_folder(tower.model, tower.revision, cache))


def weight_files(folder: Path) -> list[Path]:
    """Return the files of the weights, in order of name.

    Raises:
        InputError: the folder holds no model of safetensors with a fast tokenizer.
    """
    files = sorted(folder.glob(SAFETENSORS))
    if not files and (folder / BIN).exists():
        raise InputError(
            f"{folder}: only {BIN} in it, a pickle, which may hold code; name a model folder with safetensors weights"
        )
    for wanted in (
        folder / "config.json",
        folder / "tokenizer.json",
        *(files or [folder / "model.safetensors"]),
    ):
        if not wanted.exists():
            raise InputError(f"{folder}: no {wanted.name} in it; name a model folder with safetensors weights")
    return files


def model_digests(folder: Path) -> TowerDigests:
    """Return sha256 of the weights (all files, in order of name) and of the tokenizer.

    Raises:
        InputError: the folder holds no model of safetensors with a fast tokenizer.
    """
    weights = hashlib.sha256()
    for path in weight_files(folder):
        with path.open("rb") as file:
            weights.update(hashlib.file_digest(file, "sha256").digest())
    tokenizer = hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()
    return TowerDigests(weights=weights.hexdigest(), tokenizer=tokenizer)
