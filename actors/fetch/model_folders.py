"""Where the weights of a model lie: a folder, an embedded model, or a pinned revision of the model hub."""

import hashlib
import os
from functools import lru_cache
from pathlib import Path

from actors.fetch.embedded_wheels import embedded_folder
from schemas.encoder import PREFIX, TowerDigests
from schemas.errors import InputError, WeightsError

BIN = "pytorch_model.bin"
TEXTS = ["*.json", "*.txt"]
SPEC = ["*.json"]
SAFETENSORS = "*.safetensors"
SECONDS = 10.0
"""How long a hub may take to answer before it counts as out of reach."""


def model_folder(
    model: str, revision: str | None, cache: Path, models: str | None = None, *, weights: bool = True
) -> Path:
    """Return the local folder of a model; what is not local yet is fetched (`weights` false: of a hub JSON files only).

    models: a folder that is looked into, for OWNER/NAME/ or NAME/, before a hub is asked.

    Raises:
        WeightsError: there is no such folder, and the hub cannot be reached or does not give it.
    """
    if model.startswith(PREFIX):
        return embedded_folder(model.removeprefix(PREFIX), cache)
    if (folder := Path(model).expanduser()).is_dir():
        return folder
    for name in (model, Path(model).name):
        if models and (folder := Path(models, name)).is_dir():
            return folder
    if revision is None:
        raise WeightsError(f"model {model!r}: no such folder, and no revision to fetch from a model hub; give one")
    return hub_folder(model, revision, weights=weights)


def hub_folder(model: str, revision: str, *, weights: bool = True) -> Path:
    """Return the local folder of a model's revision; fetch what is not here.

    weights: safetensors, or else the .bin, and the texts beside them; false: only what an encoder spec is read from.
    """
    # Imported here: only models of a hub need them.
    from httpx2 import HTTPError  # what huggingface_hub speaks HTTP with
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        if folder := _fetched(model, revision, weights=weights):
            return folder
        # Asked first: the download would try an unreachable hub six times, each without a time limit.
        files = HfApi().model_info(model, revision=revision, timeout=SECONDS).siblings or []
        safe = any(file.rfilename.endswith(".safetensors") for file in files)
        patterns = [*TEXTS, SAFETENSORS if safe else BIN] if weights else SPEC
        return Path(snapshot_download(model, revision=revision, allow_patterns=patterns))
    except (HTTPError, HFValidationError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise WeightsError(
            f"model {model!r}: no folder of that name, none in PUBRAY_MODELS, and the model hub does not give its "
            f"revision {revision[:12]} ({reason}); put its files into F/{model} and set PUBRAY_MODELS=F"
        ) from None


def _fetched(model: str, revision: str, *, weights: bool) -> Path | None:
    """Return the folder of a revision that was fetched before, whole; the hub is not asked."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    patterns = [*TEXTS, SAFETENSORS] if weights else SPEC
    try:
        folder = Path(snapshot_download(model, revision=revision, allow_patterns=patterns, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    # Other programs fetch single files of a revision.
    whole = all((folder / name).exists() for name in ("config.json", "tokenizer.json"))
    loadable = any(folder.glob(SAFETENSORS)) or (folder / BIN).exists()
    return folder if whole and (loadable or not weights) else None


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
    for wanted in (folder / "config.json", folder / "tokenizer.json", *(files or [folder / "model.safetensors"])):
        if not wanted.exists():
            raise InputError(f"{folder}: no {wanted.name} in it; name a model folder with safetensors weights")
    return files


def model_digests(folder: Path) -> TowerDigests:
    """Return sha256 of the weights (all `weight_files`, in their order) and of the tokenizer."""
    files = (*weight_files(folder), folder / "tokenizer.json")
    return _digests(tuple((file, *_changed(file.stat())) for file in files))


def _changed(facts: os.stat_result) -> tuple[int, int, int]:
    return facts.st_size, facts.st_mtime_ns, facts.st_ino


@lru_cache
def _digests(files: tuple[tuple[Path, int, int, int], ...]) -> TowerDigests:
    """Return the digests of files, the tokenizer last; large ones take seconds, and both towers may be of the same."""
    weights, tokenizer = hashlib.sha256(), files[-1][0]
    for path, *_ in files[:-1]:
        with path.open("rb") as file:
            weights.update(hashlib.file_digest(file, "sha256").digest())
    return TowerDigests(weights=weights.hexdigest(), tokenizer=hashlib.sha256(tokenizer.read_bytes()).hexdigest())
