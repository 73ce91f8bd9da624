"""PyTorch as engine: on a CPU, or on CUDA devices with copies that run beside the computation."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from actors.engine.device_copies import CudaCopies, NoCopies
from actors.engine.forward_pass import Device, Finish, Forward, Pending, Task
from actors.engine.gpu_placement import placement, weight_bytes
from actors.fetch.model_folders import weight_files
from retrieval.embed.tokens import TokenBatch
from schemas.config import EngineConfig
from schemas.errors import UsageError


def torch_forward(
    folder: Path, task: Task, dtype: torch.dtype, device: Device, threads: int, *, compiled: bool
) -> Forward:
    """Load the model of `folder` onto `device`.

    Raises:
        UsageError: it does not fit there.
    """
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

    return forward


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
    evaluating: torch.nn.Module = model.eval()
    return evaluating


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
    where = placement(weight_bytes(weight_files(folder), dtype.itemsize), free)
    return "auto" if where == "several" else {"": 0}


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
