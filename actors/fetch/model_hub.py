"""Weights of a model hub: one pinned revision, fetched once into the hub client's own cache."""

from pathlib import Path

from schemas.errors import WeightsError

BIN = "pytorch_model.bin"
TEXTS = ["*.json", "*.txt"]
SPEC = ["*.json"]
SAFETENSORS = "*.safetensors"
SECONDS = 10.0
"""How long a hub may take to answer before it counts as out of reach."""


def hub_folder(model: str, revision: str, *, weights: bool = True) -> Path:
    """Return the local folder of a model's revision; fetch what is not here.

    weights: safetensors, or else the .bin, and the texts beside them; false: only what an encoder spec is read from.

    Raises:
        WeightsError: it is not here, and the hub cannot be reached or does not give it.
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
