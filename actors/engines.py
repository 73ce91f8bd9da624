"""Engines: what runs a model's forward pass. Each takes a padded batch and returns torch tensors.

Two kinds of model, both by transformers' Auto classes: an encoder gives its token vectors (B, T, D), a sequence
classifier its logits (B, labels). OpenVINO is traced from the same PyTorch model, once, and kept in a cache folder.
"""

import functools
import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import openvino as ov
import torch

from actors.models import model_digests, weight_files
from retrieval.storage import atomic_path
from retrieval.tokens import TokenBatch
from schemas.config import EngineConfig
from schemas.errors import UsageError

Task = Literal["encoder", "classifier"]
Engine = Callable[[TokenBatch], torch.Tensor]


def load_engine(folder: Path, task: Task, config: EngineConfig, *, threads: int, cache: Path) -> Engine:
    """Load the model of `folder`.

    Raises:
        InputError: the folder holds no model of safetensors with a fast tokenizer.
        UsageError: the configured engine or precision cannot be had on this machine.
    """
    weight_files(folder)
    kind = config.kind if config.kind != "auto" else "torch" if torch.cuda.is_available() else "openvino"
    if kind == "torch":
        return _torch_engine(folder, task, config, threads)
    return _openvino_engine(folder, task, config, threads, cache)


def _load_model(folder: Path, task: Task, dtype: torch.dtype) -> torch.nn.Module:
    # Imported here: it takes seconds, and a cached OpenVINO model does without.
    from transformers import AutoModel, AutoModelForSequenceClassification
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]
    kind = AutoModel if task == "encoder" else AutoModelForSequenceClassification
    model: Any = kind.from_pretrained(folder, dtype=dtype, local_files_only=True, use_safetensors=True)
    # A decoder would keep the keys and values of every token for a next one that never comes, and cannot be traced.
    model.config.use_cache = False
    evaluating: torch.nn.Module = model.eval()
    return evaluating


def _inputs(model: torch.nn.Module, batch: TokenBatch, device: str) -> dict[str, torch.Tensor]:
    """Return a batch under the names that the model's forward takes."""
    inputs = {"input_ids": batch.ids, "attention_mask": batch.mask}
    if getattr(model.config, "type_vocab_size", 0) > 1:
        inputs["token_type_ids"] = batch.segments
    return {name: torch.from_numpy(array).to(device) for name, array in inputs.items()}


def _torch_engine(folder: Path, task: Task, config: EngineConfig, threads: int) -> Engine:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    native = device == "cuda" and torch.cuda.is_bf16_supported()
    half = config.precision == "bfloat16" or (config.precision == "auto" and native)
    if device == "cpu":
        torch.set_num_threads(threads)
    model = _load_model(folder, task, torch.bfloat16 if half else torch.float32).to(device)

    def run(batch: TokenBatch) -> torch.Tensor:
        with torch.inference_mode():
            output = model(**_inputs(model, batch, device))
        tensor: torch.Tensor = output.last_hidden_state if task == "encoder" else output.logits
        return tensor

    return run


def _openvino_engine(folder: Path, task: Task, config: EngineConfig, threads: int, cache: Path) -> Engine:
    native = "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if config.precision == "bfloat16" and not native:
        raise UsageError("engine.precision = 'bfloat16', but this CPU has none; use 'auto' or 'float32'")
    half = config.precision != "float32" and native
    compiled = _compiled(_openvino_model(folder, task, cache), "bf16" if half else "f32", threads)
    names = {name for port in compiled.inputs for name in port.names}

    def run(batch: TokenBatch) -> torch.Tensor:
        inputs = {"input_ids": batch.ids, "attention_mask": batch.mask, "token_type_ids": batch.segments}
        # A request of its own per call, so that threads do not share one.
        request = compiled.create_infer_request()
        output: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = request.infer(
            {name: array for name, array in inputs.items() if name in names}
        )[0]
        return torch.from_numpy(output.copy())

    return run


@functools.cache
def _compiled(path: Path, precision: str, threads: int) -> ov.CompiledModel:
    """Return a model ready to run, kept for the life of the process.

    Towers of the same weights share it. And OpenVINO 2026.4 gives the thread that loads a model another signal stack:
    models freed in another order than the reverse of loading leave one that is gone, and the next Ctrl-C is a
    segmentation fault.
    """
    properties = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        # Pinned threads of two processes share the first core and leave the others idle.
        "ENABLE_CPU_PINNING": False,
    }
    return ov.Core().compile_model(str(path), "CPU", properties)


def _openvino_model(folder: Path, task: Task, cache: Path) -> Path:
    """Return the traced model, from the cache if it has been traced before by this version of OpenVINO."""
    config = hashlib.sha256((folder / "config.json").read_bytes()).hexdigest()[:8]
    traced_from = f"{model_digests(folder).weights[:16]}-{config}-{task}"
    path = cache / "openvino" / f"{traced_from}-{ov.get_version().split('-')[0]}"
    if not path.exists():
        model = _load_model(folder, task, torch.float32)
        ones = np.ones((2, 8), np.int64)
        example = TokenBatch(ones, ones, ones, [0, 1])
        with warnings.catch_warnings():
            # OpenVINO traces by torch.jit, which torch 2.13 declares deprecated, among other things of no concern.
            warnings.simplefilter("ignore")
            traced = ov.convert_model(_Traceable(model, task), example_input=_inputs(model, example, "cpu"))
        with atomic_path(str(path)) as temporary:
            temporary.mkdir()
            ov.save_model(traced, temporary / "model.xml", compress_to_fp16=False)
    return path / "model.xml"


class _Traceable(torch.nn.Module):
    """A transformers model that returns its one tensor, as tracing wants it."""

    def __init__(self, model: torch.nn.Module, task: Task) -> None:
        super().__init__()
        self.model, self.task = model, task

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor | None = None,
    ) -> torch.Tensor:
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids
        output = self.model(**inputs)
        tensor: torch.Tensor = output.last_hidden_state if self.task == "encoder" else output.logits
        return tensor
