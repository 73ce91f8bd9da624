"""Engines: what runs a model's forward pass. Here is decided which of them a configuration gets on this machine.

A wish that cannot be met is an error: a run that is ten times slower than it was asked to be should not start.
"""

from pathlib import Path
from typing import Literal

import torch

from actors.engine.forward_pass import Device, Engine, Task
from actors.fetch.model_folders import weight_files
from schemas.config import EngineConfig
from schemas.errors import UsageError


def load_engine(folder: Path, task: Task, config: EngineConfig, *, threads: int, cache: Path) -> Engine:
    """Load the model of `folder`.

    Raises:
        InputError: the folder holds no model of safetensors with a fast tokenizer.
        UsageError: the configured engine, device or precision cannot be had on this machine.
    """
    weight_files(folder)
    kind, device = chosen(config, cuda=torch.cuda.is_available())
    # Imported here: each takes a second or more, and one is enough.
    if kind == "openvino":
        from actors.engine.openvino_engine import openvino_dtype, openvino_forward

        dtype = openvino_dtype(config)
        return Engine(openvino_forward(folder, task, dtype, threads, cache), device, dtype)
    from actors.engine.torch_engine import torch_dtype, torch_forward

    dtype = torch_dtype(config, device)
    return Engine(torch_forward(folder, task, dtype, device, threads, compiled=config.compile), device, dtype)


def chosen(config: EngineConfig, *, cuda: bool) -> tuple[Literal["torch", "openvino"], Device]:
    """Return the engine and its device on a machine with or without a CUDA device.

    Raises:
        UsageError: they contradict each other, or there is no such device.
    """
    if config.device == "cuda" and not cuda:
        raise UsageError("engine.device = 'cuda', but there is no CUDA device; set it to 'cpu' or 'auto'")
    if config.kind == "openvino" and config.device == "cuda":
        raise UsageError("engine.kind = 'openvino' runs on CPUs, not on engine.device = 'cuda'; set kind to 'torch'")
    on_cuda = cuda and config.device != "cpu" and config.kind != "openvino"
    kind = config.kind if config.kind != "auto" else "torch" if on_cuda else "openvino"
    if config.compile and kind == "openvino":
        raise UsageError("engine.compile is for torch, and this is openvino; set engine.kind = 'torch', or compile off")
    return kind, "cuda" if on_cuda else "cpu"
