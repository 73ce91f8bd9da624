"""Weights that are published as a pickle only: known by their hash, read without running code, kept as safetensors."""

import hashlib
import shutil
import warnings
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors.torch import save_file

from actors.fetch.model_folders import BIN, SAFETENSORS, TEXTS
from retrieval.files.atomic import atomic_path
from schemas.base import digest
from schemas.errors import InputError


def with_safetensors(folder: Path, sha256: str | None, cache: Path) -> Path:
    """Return a folder that has the model of `folder` in safetensors: itself, or a conversion that is made once.

    sha256: that of the pytorch_model.bin that may be converted; None trusts none.

    Raises:
        InputError: there is only a .bin, and it is not the trusted one or holds other things than tensors.
    """
    source = folder / BIN
    if any(folder.glob(SAFETENSORS)) or not source.exists():
        return folder
    with source.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        _check_trust(source, found, sha256)
        texts = sorted(path for pattern in TEXTS for path in folder.glob(pattern))
        others = digest({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in texts})
        converted = cache / "converted" / f"{found}-{others[:8]}"
        if converted.is_dir():
            return converted
        file.seek(0)
        tensors = _read_tensors(file, source)
    with atomic_path(str(converted)) as temporary:
        temporary.mkdir()
        save_file(tensors, temporary / "model.safetensors", metadata={"format": "pt"})
        for path in texts:
            shutil.copyfile(path, temporary / path.name)
    return converted


def _check_trust(source: Path, found: str, trusted: str | None) -> None:
    if trusted is None:
        raise InputError(
            f"{source} is a pickle, which may hold code, and there are no safetensors beside it; convert it, or if you "
            f'trust this very file set rerank.bin_sha256 = "{found}"'
        )
    if found != trusted:
        raise InputError(f"{source}: its sha256 is {found}, rerank.bin_sha256 is {trusted}; fetch the file again")


def _read_tensors(file: BinaryIO, source: Path) -> dict[str, torch.Tensor]:
    """Read a state dictionary; each tensor gets memory of its own, which safetensors want."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of old formats, which the trusted hash answers for
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a file that is cut off or flipped makes the unpickler fail in every way there is
        raise InputError(
            f"{source} cannot be read as tensors alone ({type(error).__name__}): it holds code, which was not run, or "
            "is broken; take the model from its publisher"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise InputError(f"{source} is not a dictionary of tensors; take the model from its publisher")
    return {str(name): tensor.detach().contiguous().clone() for name, tensor in state.items()}
