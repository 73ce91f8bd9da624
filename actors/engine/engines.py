"""Engines: a forward pass is started now and awaited later, so that the device is kept busy.

Which engine a configuration gets on this machine is decided here. A wish that cannot be met is an error: a run that is
ten times slower than it was asked to be should not start.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

import torch

from actors.fetch.model_folders import weight_files
from retrieval.embed.tokens import BatchRule, TokenBatch
from schemas.config import EngineConfig
from schemas.errors import UsageError

Task = Literal["encoder", "classifier"]
"""An encoder gives its token vectors (B, T, D), a sequence classifier its logits (B, labels)."""
Device = Literal["cpu", "cuda"]
PADDING: dict[Device, int] = {"cpu": 16, "cuda": 1024}
"""Tokens that cost as much as beginning one more pass: on a CPU reading the weights (docs/decisions/embed.md), on
a GPU launching its kernels too (estimated)."""
PEAK_SIDE: dict[Device, int] = {"cpu": 1024, "cuda": 8192}
"""Rows and columns: large enough that nothing but arithmetic counts, and small enough to be done in milliseconds, so
that on a shared machine some products run undisturbed."""
PEAK_SECONDS = 0.5
Finish = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""What becomes of a model's output where it lies: (output, mask (B, T)) to a tensor of B rows."""
Pending = Callable[[], torch.Tensor]
"""Waits for a result and returns it, on the CPU."""
Forward = Callable[[TokenBatch, Finish], Pending]
"""Starts the forward pass of a batch. May be called from several threads."""

P = ParamSpec("P")
T = TypeVar("T")

_given_up: ContextVar[threading.Event | None] = ContextVar("given_up", default=None)


class GivenUpError(Exception):
    """Nobody waits for the result."""


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a function returns in a thread. If this is cancelled, its steps `while_awaited` go no further."""
    event = threading.Event()
    token = _given_up.set(event)
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except asyncio.CancelledError:
        event.set()
        raise
    finally:
        _given_up.reset(token)


def while_awaited(steps: Iterable[T]) -> Iterator[T]:
    """Yield each step while somebody waits for the work; outside of `in_thread` somebody always does.

    Raises:
        GivenUpError: nobody does.
    """
    event = _given_up.get()
    for step in steps:
        if event and event.is_set():
            raise GivenUpError
        yield step


def as_it_is(output: torch.Tensor, _mask_BT: torch.Tensor) -> torch.Tensor:
    """Return a model's whole output."""
    return output


class Engine:
    """Runs one model's forward pass. Calls may come from several threads."""

    def __init__(self, forward: Forward, device: Device = "cpu", dtype: torch.dtype = torch.float32) -> None:
        """Use `forward`, which belongs to one kind of engine, and computes there and in that number format."""
        self._forward, self.device, self.dtype = forward, device, dtype

    def batch_rule(self, tokens: int) -> BatchRule:
        """Return the rule for batches of at most so many padded tokens."""
        return BatchRule(tokens, PADDING[self.device])

    def __call__(self, batch: TokenBatch) -> torch.Tensor:
        """Return the whole output for one batch, on the CPU."""
        return self._forward(batch, as_it_is)()

    def run(
        self, batches: Iterable[TokenBatch], finish: Finish = as_it_is
    ) -> Iterator[tuple[TokenBatch, torch.Tensor]]:
        """Yield each batch with its finished output, on the CPU, in the order of `batches`.

        The next batch is made, copied to the device and started before the last result is awaited, so that a device
        never waits for Python. `finish` runs on the device, so that only what it leaves is copied back.
        """
        started: deque[tuple[TokenBatch, Pending]] = deque()
        for batch in while_awaited(batches):
            started.append((batch, self._forward(batch, finish)))
            if len(started) > 1:
                first, pending = started.popleft()
                yield first, pending()
        for last, pending in started:
            yield last, pending()

    def peak(self, threads: int) -> float:
        """Measure `peak_flops` where and as this engine computes. torch's product is by oneDNN, as OpenVINO's."""
        return peak_flops(self.device, self.dtype, threads)


def peak_flops(device: Device, dtype: torch.dtype, threads: int) -> float:
    """Return FLOP/s of the fastest square matrix product within about half a second, after one to warm up.

    `threads` are those of a CPU.
    """
    side, before = PEAK_SIDE[device], torch.get_num_threads()
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    torch.set_num_threads(threads)
    try:
        _product_seconds(a, b)
        seconds = [_product_seconds(a, b)]
        while sum(seconds) < PEAK_SECONDS:
            seconds.append(_product_seconds(a, b))
    finally:
        torch.set_num_threads(before)
    return 2 * side**3 / min(seconds)


def _product_seconds(a: torch.Tensor, b: torch.Tensor) -> float:
    start = time.perf_counter()
    torch.mm(a, b)
    if a.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


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
