"""PyTorch as engine: on a CPU, or on CUDA devices.

There copies run beside the computation, and a batch that does not fit into memory is halved, which is remembered.
"""

import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open

from actors.engine.engines import Device, Finish, Forward, Pending, Task
from actors.fetch.model_folders import weight_files
from retrieval.embed.tokens import TokenBatch
from schemas.config import EngineConfig
from schemas.errors import UsageError


def torch_forward(
    folder: Path, task: Task, dtype: torch.dtype, device: Device, threads: int, *, compiled: bool
) -> Forward:
    """Load the model of `folder` onto `device`; UsageError: it does not fit there."""
    if device == "cpu":
        torch.set_num_threads(threads)
    model = load_model(folder, task, dtype, device)
    causal, copies = _is_causal(model), CudaCopies() if device == "cuda" else NoCopies()
    run = torch.compile(model, dynamic=True) if compiled else model

    def forward(batch: TokenBatch, finish: Finish) -> Pending:
        with torch.inference_mode():
            inputs = copies.to_device(model_inputs(model, batch))
            mask_BT = inputs["attention_mask"]
            # Without a mask, attention takes its flash kernel, and the model need not ask the device whether anything
            # is masked. Padding is on the right, where no token of a causal model looks.
            if causal or batch.mask.all():
                del inputs["attention_mask"]
            output = run(**inputs)
            tensor = output.last_hidden_state if task == "encoder" else output.logits
            return copies.to_host(finish(tensor, mask_BT))

    return BatchHalving(forward) if device == "cuda" else forward


def load_model(folder: Path, task: Task, dtype: torch.dtype, device: Device) -> torch.nn.Module:
    """Load a model by transformers' Auto classes; one too large for a GPU is spread over all that are visible.

    Attention is scaled dot product attention wherever transformers has it for the model.
    """
    # Imported here: it takes seconds, and a cached OpenVINO model does without.
    from transformers import AutoModel, AutoModelForSequenceClassification
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]
    kind = AutoModel if task == "encoder" else AutoModelForSequenceClassification
    model: Any = kind.from_pretrained(
        folder, dtype=dtype, local_files_only=True, use_safetensors=True, device_map=_device_map(folder, dtype, device)
    )
    _refuse_what_lies_elsewhere(model, device)
    # A decoder would keep the keys and values of every token for a next one that never comes.
    model.config.use_cache = False
    return model.eval()


def model_inputs(model: torch.nn.Module, batch: TokenBatch) -> dict[str, NDArray[np.int64]]:
    """Return a batch under the names that the model's forward takes."""
    inputs = {"input_ids": batch.ids, "attention_mask": batch.mask}
    if getattr(model.config, "type_vocab_size", 0) > 1:
        inputs["token_type_ids"] = batch.segments
    return inputs


def torch_dtype(config: EngineConfig, device: Device) -> torch.dtype:
    """Return the number format; a CPU computes in bfloat16 whether or not it is faster, so it is not its default.

    Raises:
        UsageError: the device has not the one that is wanted.
    """
    native = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    if config.precision == "bfloat16" and device == "cuda" and not native:
        raise UsageError("engine.precision = 'bfloat16', but this GPU has none; use 'auto' or 'float32'")
    half = config.precision == "bfloat16" or (config.precision == "auto" and native)
    return torch.bfloat16 if half else torch.float32


def _device_map(folder: Path, dtype: torch.dtype, device: Device) -> Any:
    if device == "cpu":
        return None
    free = [torch.cuda.mem_get_info(i)[0] for i in range(torch.cuda.device_count())]
    return "auto" if needs_several_gpus(weight_bytes(weight_files(folder), dtype.itemsize), free) else {"": 0}


def weight_bytes(files: Iterable[Path], itemsize: int) -> int:
    """Return how much memory the weights of safetensors files take at `itemsize` bytes a number; headers are read."""
    numbers = 0
    for path in files:
        with safe_open(path, framework="numpy") as file:
            numbers += sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    return itemsize * numbers


def needs_several_gpus(weights: int, free: Sequence[int]) -> bool:
    """Say whether `weights` bytes are more than the first visible GPU has, given the bytes `free` on each.

    Raises:
        UsageError: all GPUs together have less.
    """
    if weights > (total := sum(free)):
        raise UsageError(
            f"the weights take {weights / 2**30:.1f} GiB, the {len(free)} visible GPU(s) have {total / 2**30:.1f} GiB"
            " free; give more GPUs, or set engine.precision = 'bfloat16' or engine.device = 'cpu'"
        )
    return weights > free[0]


def _refuse_what_lies_elsewhere(model: Any, device: Device) -> None:
    """Refuse a model of which accelerate, which keeps room for activations, left layers in main memory or on disk."""
    places = {str(place) for place in getattr(model, "hf_device_map", {}).values()}
    if device == "cuda" and (elsewhere := places & {"cpu", "disk"}):
        raise UsageError(
            f"the visible GPUs have no room for all layers, some went to {' and '.join(sorted(elsewhere))}; give more"
            " GPUs, or set engine.precision = 'bfloat16' or engine.device = 'cpu'"
        )


def _is_causal(model: torch.nn.Module) -> bool:
    """Say whether no token of the model sees a later one: all attention modules of transformers declare it."""
    flags = [m.is_causal for m in model.modules() if isinstance(getattr(m, "is_causal", None), bool)]
    return bool(flags) and all(flags)


class NoCopies:
    """A CPU's memory is where the batches are."""

    def to_device(self, arrays: dict[str, NDArray[np.int64]]) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def to_host(self, result: torch.Tensor) -> Pending:
        return lambda: result


class CudaCopies:
    """Copies through pinned memory, each way on a stream of its own, so that they run while the GPU computes."""

    def __init__(self) -> None:
        self._up, self._down = torch.cuda.Stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def to_device(self, arrays: dict[str, NDArray[np.int64]]) -> dict[str, torch.Tensor]:
        """Return the arrays as tensors that the current stream may compute with."""
        with torch.cuda.stream(self._up):
            tensors = {
                name: torch.from_numpy(array).pin_memory().to("cuda", non_blocking=True)
                for name, array in arrays.items()
            }
        computation = torch.cuda.current_stream()
        computation.wait_stream(self._up)
        for tensor in tensors.values():
            # Otherwise its memory is given to the next copy while this one is still being read.
            tensor.record_stream(computation)
        return tensors

    def to_host(self, result: torch.Tensor) -> Pending:
        on_host = torch.empty(result.shape, dtype=result.dtype, pin_memory=True)
        self._down.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._down):
            on_host.copy_(result, non_blocking=True)
            copied = self._down.record_event()
        result.record_stream(self._down)

        def wait() -> torch.Tensor:
            copied.synchronize()
            return on_host

        return wait


class BatchHalving:
    """A forward pass that splits what does not fit, by rows, until it does."""

    def __init__(self, forward: Forward) -> None:
        """Guard `forward`, which raises `torch.OutOfMemoryError` for a batch that is too large."""
        self._forward = forward
        self._most_tokens = sys.maxsize

    def __call__(self, batch: TokenBatch, finish: Finish) -> Pending:
        """Start a batch, or its halves one after the other.

        Batches larger than the halves that once worked are split beforehand: running out of memory costs the time
        of a forward pass, and would happen again with every batch.

        Raises:
            UsageError: a single text does not fit.
        """
        rows, width = batch.ids.shape
        hopeful = rows == 1 or batch.ids.size <= self._most_tokens
        if hopeful and (pending := self._tried(batch, finish)):
            return pending
        if rows == 1:
            raise UsageError(
                f"a single text of {width} tokens does not fit into the memory of the device; lower the max_length of"
                " its model, or set engine.precision = 'bfloat16'"
            )
        halves = _halves(batch)
        if hopeful:
            self._most_tokens = min(self._most_tokens, max(half.ids.size for half in halves))
        started = [self(half, finish) for half in halves]
        return lambda: _joined([wait() for wait in started], width)

    def _tried(self, batch: TokenBatch, finish: Finish) -> Pending | None:
        try:
            return self._forward(batch, finish)
        except torch.OutOfMemoryError:
            # The halves run after this, and not in here: the exception keeps the tensors of the failed pass alive.
            return None


def _halves(batch: TokenBatch) -> list[TokenBatch]:
    """Return the two halves of a batch, each as wide as its own longest row."""
    middle = (len(batch.ids) + 1) // 2
    halves = []
    for rows in (slice(middle), slice(middle, None)):
        width = int(batch.mask[rows].sum(axis=1).max())
        ids, mask, segments = (array[rows, :width] for array in (batch.ids, batch.mask, batch.segments))
        halves.append(TokenBatch(ids, mask, segments, batch.positions[rows]))
    return halves


def _joined(parts: list[torch.Tensor], width: int) -> torch.Tensor:
    """Return the rows of all parts, token vectors (B, T, D) with zeros up to `width`."""
    if parts[0].dim() < 3:
        return torch.cat(parts)
    return torch.cat([torch.nn.functional.pad(part, (0, 0, 0, width - part.shape[1])) for part in parts])
