"""Every engine gives what the model gives, and no other engine than the one asked for."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from actors.engine.engines import Engine, Finish, Pending, Task, chosen, in_thread, load_engine, while_awaited
from retrieval.embed.tokens import TokenBatch
from schemas.config import EngineConfig
from schemas.errors import InputError, UsageError
from tests.support.models import tiny

TORCH = EngineConfig(kind="torch", device="cpu", precision="float32")
OPENVINO = EngineConfig(kind="openvino", precision="float32")


@pytest.mark.parametrize("task", ["encoder", "classifier"])
def test_openvino_in_float32_equals_torch(task: Task, tiny_encoder: Path, tiny_classifier: Path, traces: Path) -> None:
    folder = tiny_encoder if task == "encoder" else tiny_classifier
    batch = tiny.pairs(folder)
    expected = load_engine(folder, task, TORCH, threads=1, cache=traces)(batch)
    result = load_engine(folder, task, OPENVINO, threads=1, cache=traces)(batch)
    assert result.shape == (len(batch.ids), 1) if task == "classifier" else (*batch.ids.shape, tiny.DIMENSION)
    real = torch.from_numpy(batch.mask).bool() if task == "encoder" else slice(None)
    torch.testing.assert_close(result[real], expected[real], rtol=0, atol=1e-4)


@pytest.mark.parametrize("engine", [TORCH, OPENVINO], ids=["torch", "openvino"])
@pytest.mark.parametrize("task", ["encoder", "classifier"])
def test_weights_in_torchs_own_format_are_refused_by_name(engine: EngineConfig, task: Task, tmp_path: Path) -> None:
    folder = tiny.classifier(tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError) as error:
        load_engine(folder, task, engine, threads=1, cache=tmp_path)
    assert str(error.value).startswith(f"{folder}: only pytorch_model.bin in it, ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("wish", "cuda", "choice"),
    [
        ({}, False, ("openvino", "cpu")),
        ({}, True, ("torch", "cuda")),
        ({"device": "cpu"}, True, ("openvino", "cpu")),
        ({"device": "cuda"}, True, ("torch", "cuda")),
        ({"kind": "torch"}, False, ("torch", "cpu")),
        ({"kind": "torch"}, True, ("torch", "cuda")),
        ({"kind": "torch", "device": "cpu"}, True, ("torch", "cpu")),
        ({"kind": "openvino"}, True, ("openvino", "cpu")),
        ({"kind": "torch", "compile": True}, False, ("torch", "cpu")),
        ({"compile": True}, True, ("torch", "cuda")),
    ],
)
def test_what_is_not_said_is_chosen(wish: dict[str, Any], cuda: bool, choice: tuple[str, str]) -> None:
    assert chosen(EngineConfig(**wish), cuda=cuda) == choice


@pytest.mark.parametrize(
    ("wish", "cuda", "message"),
    [
        ({"device": "cuda"}, False, "engine.device = 'cuda', but there is no CUDA device; set it to 'cpu' or 'auto'"),
        (
            {"kind": "openvino", "device": "cuda"},
            True,
            "engine.kind = 'openvino' runs on CPUs, not on engine.device = 'cuda'; set kind to 'torch'",
        ),
        *(
            (
                {**wish, "compile": True},
                False,
                "engine.compile is for torch, and this is openvino; set engine.kind = 'torch', or compile off",
            )
            for wish in ({}, {"kind": "openvino"}, {"device": "cpu"})
        ),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused(wish: dict[str, Any], cuda: bool, message: str) -> None:
    with pytest.raises(UsageError) as error:
        chosen(EngineConfig(**wish), cuda=cuda)
    assert str(error.value) == message


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_model_is_not_loaded_on_another_device_than_the_one_asked_for(tiny_encoder: Path, traces: Path) -> None:
    with pytest.raises(UsageError, match=r"engine\.device = 'cuda'"):
        load_engine(tiny_encoder, "encoder", EngineConfig(device="cuda"), threads=1, cache=traces)


def batch(number: int) -> TokenBatch:
    ids = np.full((1, 2), number)
    return TokenBatch(ids, np.ones_like(ids), np.zeros_like(ids), [number])


class Diary:
    """A forward pass that returns its ids, and its diary."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, batch: TokenBatch, finish: Finish) -> Pending:
        [number] = batch.positions
        self.lines.append(f"start {number}")

        def wait() -> torch.Tensor:
            self.lines.append(f"await {number}")
            return finish(torch.from_numpy(batch.ids), torch.from_numpy(batch.mask))

        return wait


def abandon(work: Callable[[], None], begun: threading.Event, go_on: threading.Event) -> None:
    """Run work in a thread, give it up once it has begun, then let it go on to its end."""
    ended = threading.Event()

    def to_its_end() -> None:
        try:
            work()
        finally:
            ended.set()

    async def run() -> None:
        task = asyncio.create_task(in_thread(to_its_end))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()

    asyncio.run(run())
    assert ended.wait(10)


def test_the_next_batch_is_started_before_a_result_is_awaited() -> None:
    diary = Diary()
    for number, (given, _) in enumerate(Engine(diary).run(map(batch, range(3)))):
        diary.lines.append(f"use {number}")
        assert given.positions == [number]
    assert diary.lines == [
        *("start 0", "start 1", "await 0", "use 0"),
        *("start 2", "await 1", "use 1"),
        *("await 2", "use 2"),
    ]


def test_each_batch_comes_with_its_own_finished_output() -> None:
    pairs = list(Engine(Diary()).run(map(batch, range(5)), lambda output, mask: (output * mask).sum(1)))
    assert [output.tolist() for _, output in pairs] == [[0], [2], [4], [6], [8]]
    assert [given.positions for given, _ in pairs] == [[0], [1], [2], [3], [4]]


def test_one_batch_alone_gives_its_whole_output() -> None:
    assert Engine(Diary())(batch(7)).tolist() == [[7, 7]]


def test_no_batches_give_nothing() -> None:
    assert list(Engine(Diary()).run([])) == []


def test_no_more_passes_are_started_when_nobody_waits_for_them() -> None:
    diary, begun, go_on = Diary(), threading.Event(), threading.Event()

    def batches() -> Iterator[TokenBatch]:
        for number in range(5):
            if number == 1:
                begun.set()
                go_on.wait(10)
            yield batch(number)

    def work() -> None:
        list(Engine(diary).run(batches()))

    abandon(work, begun, go_on)
    assert diary.lines == ["start 0"]


def by_hand(dtype: torch.dtype) -> float:
    """FLOP/s of the fastest of some products."""
    a = torch.randn(1024, 1024).to(dtype)
    seconds = []
    for _ in range(8):
        start = time.perf_counter()
        torch.mm(a, a)
        seconds.append(time.perf_counter() - start)
    return 2 * 1024**3 / min(seconds)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_peak_is_what_a_product_timed_by_hand_gives(dtype: torch.dtype) -> None:
    """Other processes share the cores, and may be there for one and not for the other."""
    threads = torch.get_num_threads()
    for _ in range(9):
        torch.set_num_threads(1)
        expected = by_hand(dtype)
        torch.set_num_threads(threads)
        measured = Engine(Diary(), "cpu", dtype).peak(1)
        assert torch.get_num_threads() == threads
        if expected / 3 < measured < expected * 3:
            return
    pytest.fail(f"{measured} is not near {expected}")


def test_work_that_nobody_waits_for_any_more_ends_before_its_next_step() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), list[int]()

    def work() -> None:
        for step in while_awaited(range(3)):
            done.append(step)
            begun.set()
            go_on.wait(10)

    abandon(work, begun, go_on)
    assert done == [0]


def test_work_that_is_waited_for_is_done_whatever_became_of_work_before_and_beside_it() -> None:
    def slow(steps: int) -> list[int]:
        done = []
        for step in while_awaited(range(steps)):
            time.sleep(0.01)
            done.append(step)
        return done

    async def run() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(in_thread(slow, 1000), 0.05)
        found = await asyncio.gather(in_thread(slow, 5), in_thread(slow, steps=9))
        assert [*found] == [[*range(5)], [*range(9)]]

    asyncio.run(run())


def test_outside_of_a_service_somebody_always_waits() -> None:
    assert [*while_awaited("abc")] == ["a", "b", "c"]
