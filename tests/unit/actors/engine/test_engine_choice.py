"""Every engine gives what the model gives, and no other engine than the one asked for."""

from pathlib import Path
from typing import Any

import pytest
import torch

from actors.engine.engine_choice import chosen, load_engine
from actors.engine.forward_pass import Task
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
