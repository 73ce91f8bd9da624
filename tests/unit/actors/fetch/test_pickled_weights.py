"""A pickle is converted only if it is the trusted one, and never run."""

import hashlib
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from transformers import BertForSequenceClassification

from actors.fetch.model_folders import weight_files
from actors.fetch.pickled_weights import with_safetensors
from schemas.errors import InputError


@pytest.fixture
def published(tmp_path: Path, tiny_classifier: Path) -> Path:
    """A model folder as ncbi/MedCPT-Cross-Encoder is published: no safetensors."""
    folder = tmp_path / "published"
    shutil.copytree(tiny_classifier, folder)
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    return folder


def sha256(folder: Path) -> str:
    return hashlib.sha256((folder / "pytorch_model.bin").read_bytes()).hexdigest()


def refusal(folder: Path, trusted: str | None, cache: Path) -> str:
    with pytest.raises(InputError) as error:
        with_safetensors(folder, trusted, cache)
    assert "\n" not in str(error.value)
    assert not cache.exists()
    return str(error.value)


def test_the_trusted_file_becomes_a_folder_that_transformers_reads(
    published: Path, tiny_classifier: Path, tmp_path: Path
) -> None:
    converted = with_safetensors(published, sha256(published), tmp_path / "cache")
    assert weight_files(converted) == [converted / "model.safetensors"]
    ours, theirs = (BertForSequenceClassification.from_pretrained(f) for f in (converted, tiny_classifier))
    ids = torch.arange(8)[None]
    assert torch.equal(ours(ids).logits, theirs(ids).logits)


def test_it_is_converted_once(published: Path, tmp_path: Path) -> None:
    first = with_safetensors(published, sha256(published), tmp_path / "cache")
    marked = first / "model.safetensors"
    os.utime(marked, (0, 0))
    assert with_safetensors(published, sha256(published), tmp_path / "cache") == first
    assert marked.stat().st_mtime == 0
    assert [path.name for path in (tmp_path / "cache" / "converted").iterdir()] == [first.name]


def test_another_tokenizer_makes_another_folder(published: Path, tmp_path: Path) -> None:
    first = with_safetensors(published, sha256(published), tmp_path / "cache")
    (published / "tokenizer.json").write_text((published / "tokenizer.json").read_text() + "\n")
    second = with_safetensors(published, sha256(published), tmp_path / "cache")
    assert second != first
    assert (second / "tokenizer.json").read_text() == (published / "tokenizer.json").read_text()


def test_tensors_that_share_memory_are_each_kept(published: Path, tmp_path: Path) -> None:
    one = torch.arange(12.0).reshape(3, 4)
    torch.save({"a": one, "tied": one, "view": one.T}, published / "pytorch_model.bin")
    converted = with_safetensors(published, sha256(published), tmp_path / "cache")
    kept = safetensors.torch.load_file(converted / "model.safetensors")
    assert torch.equal(kept["a"], one)
    assert torch.equal(kept["tied"], one)
    assert torch.equal(kept["view"], one.T)


def test_a_folder_with_safetensors_is_taken_as_it_is(tiny_classifier: Path, tmp_path: Path) -> None:
    assert with_safetensors(tiny_classifier, None, tmp_path / "cache") == tiny_classifier
    assert with_safetensors(tiny_classifier, "0" * 64, tmp_path / "cache") == tiny_classifier


def test_without_a_hash_it_is_refused_with_the_line_to_paste(published: Path, tmp_path: Path) -> None:
    message = refusal(published, None, tmp_path / "cache")
    assert message.startswith(f"{published}/pytorch_model.bin is a pickle, which may hold code")
    assert message.endswith(f'set rerank.bin_sha256 = "{sha256(published)}"')


@pytest.mark.parametrize("damage", ["flipped", "truncated"])
def test_another_file_than_the_trusted_one_is_refused(damage: str, published: Path, tmp_path: Path) -> None:
    trusted = sha256(published)
    file = published / "pytorch_model.bin"
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    else:
        del content[-100:]
    file.write_bytes(content)
    message = refusal(published, trusted, tmp_path / "cache")
    assert message == (
        f"{file}: its sha256 is {sha256(published)}, rerank.bin_sha256 is {trusted}; fetch the file again"
    )


@pytest.mark.parametrize("kept", [0, 1, 100, 5000])
def test_a_broken_file_is_refused_even_if_it_is_trusted(kept: int, published: Path, tmp_path: Path) -> None:
    file = published / "pytorch_model.bin"
    file.write_bytes(file.read_bytes()[:kept])
    assert "it holds code, which was not run, or is broken" in refusal(published, sha256(published), tmp_path / "cache")


class Malicious:
    """What a pickle can do: name a function to call when it is read."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("plain", [True, False], ids=["plain pickle", "torch's archive"])
def test_code_in_a_trusted_file_does_not_run(plain: bool, published: Path, tmp_path: Path) -> None:
    file, trace = published / "pytorch_model.bin", tmp_path / "was-run"
    content = {"weight": torch.zeros(2), "payload": Malicious(trace)}
    if plain:
        file.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, file)
    message = refusal(published, sha256(published), tmp_path / "cache")
    assert "cannot be read as tensors alone (UnpicklingError)" in message
    assert not trace.exists()
    torch.load(file, weights_only=False) if not plain else pickle.loads(file.read_bytes())
    assert trace.exists()  # the payload is a real one


@pytest.mark.parametrize("content", [[1, 2], {"weight": 1}, torch.zeros(2)], ids=["list", "number", "tensor"])
def test_what_is_not_a_dictionary_of_tensors_is_refused(content: object, published: Path, tmp_path: Path) -> None:
    torch.save(content, published / "pytorch_model.bin")
    assert "is not a dictionary of tensors" in refusal(published, sha256(published), tmp_path / "cache")
