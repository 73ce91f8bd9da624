"""OpenVINO as engine, on a CPU: a model is traced from PyTorch once, and kept in a cache folder."""

import functools
import hashlib
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import torch

from actors.engine.engines import Finish, Forward, Task
from actors.fetch.model_folders import model_digests
from retrieval.embed.pooling import TextVectors, pool
from retrieval.embed.tokens import TokenBatch
from retrieval.files.atomic import atomic_path
from schemas.config import EngineConfig
from schemas.encoder import Pooling
from schemas.errors import UsageError

THREAD = ThreadPoolExecutor(1, "openvino")
"""The one thread of a process in which models are traced, loaded and run; a pass has all cores in turn anyhow.

torch's tracing fails in two threads at once. OpenVINO 2026.4 crashed, once in many thousand calls, when requests were
made in several threads; and it gives the thread that loads a model another signal stack, which is best not the main
one's (docs/decisions/embed.md).
"""


def openvino_dtype(config: EngineConfig) -> torch.dtype:
    """Return the number format that this CPU computes in; UsageError: bfloat16 is wanted and it has none."""
    native = "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if config.precision == "bfloat16" and not native:
        raise UsageError("engine.precision = 'bfloat16', but this CPU has none; use 'auto' or 'float32'")
    return torch.bfloat16 if config.precision != "float32" and native else torch.float32


def openvino_forward(folder: Path, task: Task, dtype: torch.dtype, threads: int, cache: Path) -> Forward:
    """Return the model of `folder`; it is traced, now or before, and loaded at its first use.

    Text vectors are pooled by the model itself: token vectors, which are a hundred times as large, never leave it.
    """
    precision = "bf16" if dtype == torch.bfloat16 else "f32"

    def infer(batch: TokenBatch, finish: Finish) -> torch.Tensor:
        pooling = finish.pooling if isinstance(finish, TextVectors) else None
        request = _request(_traced(folder, task, pooling, cache), precision, threads)
        names = {name for port in request.model_inputs for name in port.names}
        inputs = {"input_ids": batch.ids, "attention_mask": batch.mask, "token_type_ids": batch.segments}
        request.infer({name: array for name, array in inputs.items() if name in names})
        output = torch.from_numpy(request.get_output_tensor(0).data)
        # Copies, for the next pass overwrites it.
        if isinstance(finish, TextVectors):
            return finish.scale(output).clone()
        return finish(output, torch.from_numpy(batch.mask)).clone()

    return lambda batch, finish: THREAD.submit(infer, batch, finish).result


@functools.cache
def _request(path: Path, precision: str, threads: int) -> ov.InferRequest:
    """Return a model ready to run, kept for the life of the process: towers of the same weights share it."""
    properties = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        # Pinned threads of two processes share the first core and leave the others idle.
        "ENABLE_CPU_PINNING": False,
    }
    return ov.Core().compile_model(str(path), "CPU", properties).create_infer_request()


@functools.cache
def _traced(folder: Path, task: Task, pooling: Pooling | None, cache: Path) -> Path:
    """Return the traced model, from the cache if it has been traced before by this version of OpenVINO."""
    config = hashlib.sha256((folder / "config.json").read_bytes()).hexdigest()[:8]
    traced_from = f"{model_digests(folder).weights[:16]}-{config}-{pooling or task}"
    path = cache / "openvino" / f"{traced_from}-{ov.get_version().split('-')[0]}"
    if not path.exists():
        traced = _trace(folder, task, pooling)
        with atomic_path(str(path)) as temporary:
            temporary.mkdir()
            ov.save_model(traced, temporary / "model.xml", compress_to_fp16=False)
    return path / "model.xml"


def _trace(folder: Path, task: Task, pooling: Pooling | None) -> ov.Model:
    # Imported here: it brings transformers, which a traced model does without.
    from actors.engine.torch_engine import load_model, model_inputs

    model: Any = load_model(folder, task, torch.float32, "cpu")
    model.loss_function = None  # tracing looks at each attribute, and transformers warns that it has to guess this one
    ones = np.ones((2, 8), np.int64)
    inputs = model_inputs(model, TokenBatch(ones, ones, ones, [0, 1]))
    with warnings.catch_warnings():
        # OpenVINO traces by torch.jit, which torch 2.13 declares deprecated, among other things of no concern.
        warnings.simplefilter("ignore")
        example = {name: torch.from_numpy(array) for name, array in inputs.items()}
        return ov.convert_model(_Traceable(model, task, pooling), example_input=example)


class _Traceable(torch.nn.Module):
    """A transformers model that returns its one tensor, as tracing wants it."""

    def __init__(self, model: torch.nn.Module, task: Task, pooling: Pooling | None) -> None:
        super().__init__()
        self.model, self.task, self.pooling = model, task, pooling

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids
        output = self.model(**inputs)
        tensor: torch.Tensor = output.last_hidden_state if self.task == "encoder" else output.logits
        return pool(tensor, attention_mask, self.pooling) if self.pooling else tensor
