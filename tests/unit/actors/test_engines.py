"""Every engine gives what the model gives."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
import torch

from actors.engines import Task, load_engine
from retrieval.tokens import TokenBatch, load_tokenizer, pad_batch, tokenize_pairs
from schemas.config import EngineConfig
from schemas.errors import InputError, UsageError
from tests.unit.actors import tiny

ROOT = Path(__file__).parents[3]
TORCH = EngineConfig(kind="torch", precision="float32")
OPENVINO = EngineConfig(kind="openvino", precision="float32")


def pairs(folder: Path) -> TokenBatch:
    """A padded batch of two segments, so that ids, mask and segments all matter."""
    passages = [f"{title} {abstract}" for title, abstract in tiny.TEXTS]
    tokens = tokenize_pairs(load_tokenizer(folder, tiny.MAX_LENGTH), "muscle pain", passages)
    return pad_batch(tokens, list(range(len(tokens))), 0)


@pytest.mark.parametrize("task", ["encoder", "classifier"])
def test_openvino_in_float32_equals_torch(task: Task, tiny_encoder: Path, tiny_classifier: Path, traces: Path) -> None:
    folder = tiny_encoder if task == "encoder" else tiny_classifier
    batch = pairs(folder)
    expected = load_engine(folder, task, TORCH, threads=1, cache=traces)(batch)
    result = load_engine(folder, task, OPENVINO, threads=1, cache=traces)(batch)
    assert result.shape == (len(batch.ids), 1) if task == "classifier" else (*batch.ids.shape, tiny.DIMENSION)
    real = torch.from_numpy(batch.mask).bool() if task == "encoder" else slice(None)
    torch.testing.assert_close(result[real], expected[real], rtol=0, atol=1e-4)


def test_a_model_is_traced_once(tiny_encoder: Path, tmp_path: Path) -> None:
    load_engine(tiny_encoder, "encoder", OPENVINO, threads=1, cache=tmp_path)
    [traced] = tmp_path.glob("openvino/*/model.xml")
    before = traced.stat().st_mtime_ns
    load_engine(tiny_encoder, "encoder", OPENVINO, threads=1, cache=tmp_path)
    assert [traced] == list(tmp_path.glob("openvino/*/model.xml"))
    assert traced.stat().st_mtime_ns == before


def test_bfloat16_hardly_changes_what_torch_gives(tiny_encoder: Path, traces: Path) -> None:
    batch = pairs(tiny_encoder)
    half = EngineConfig(kind="torch", precision="bfloat16")
    result = load_engine(tiny_encoder, "encoder", half, threads=1, cache=traces)(batch)
    expected = load_engine(tiny_encoder, "encoder", TORCH, threads=1, cache=traces)(batch)
    assert result.dtype == torch.bfloat16
    real = batch.mask.astype(bool)
    cosines = torch.nn.functional.cosine_similarity(result.float()[real], expected[real], dim=-1)
    assert cosines.min() > 0.999


@pytest.mark.skipif(
    "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"), reason="this CPU computes in bfloat16"
)
def test_bfloat16_is_refused_where_the_processor_has_none(tiny_encoder: Path, traces: Path) -> None:
    half = EngineConfig(kind="openvino", precision="bfloat16")
    with pytest.raises(UsageError, match=r"engine\.precision = 'bfloat16'"):
        load_engine(tiny_encoder, "encoder", half, threads=1, cache=traces)


def test_requests_from_several_threads_do_not_mix(tiny_encoder: Path, traces: Path) -> None:
    run = load_engine(tiny_encoder, "encoder", OPENVINO, threads=1, cache=traces)
    batch = pairs(tiny_encoder)
    rows = [
        TokenBatch(batch.ids[i : i + 1], batch.mask[i : i + 1], batch.segments[i : i + 1], [0])
        for i in range(len(batch.ids))
    ]
    alone = [run(row) for row in rows]
    with ThreadPoolExecutor(4) as pool:
        for number, result in enumerate(pool.map(run, rows * 20)):
            np.testing.assert_array_equal(result, alone[number % len(rows)])


@pytest.mark.parametrize("engine", [TORCH, OPENVINO], ids=["torch", "openvino"])
@pytest.mark.parametrize("task", ["encoder", "classifier"])
def test_weights_in_torchs_own_format_are_refused_by_name(engine: EngineConfig, task: Task, tmp_path: Path) -> None:
    folder = tiny.classifier(tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError) as error:
        load_engine(folder, task, engine, threads=1, cache=tmp_path)
    assert str(error.value).startswith(f"{folder}: only pytorch_model.bin in it, ")
    assert "\n" not in str(error.value)


INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from actors.engines import load_engine
from schemas.config import EngineConfig
encoder, classifier, traces = map(Path, sys.argv[1:])
config = EngineConfig(kind="openvino", precision="float32")
first = load_engine(encoder, "encoder", config, threads=1, cache=traces)
second = load_engine(classifier, "classifier", config, threads=1, cache=traces)
del first
del second
signal.signal(signal.SIGINT, lambda *_: sys.exit(7))
os.kill(os.getpid(), signal.SIGINT)
"""


def test_ctrl_c_after_models_were_let_go_is_no_segmentation_fault(
    tiny_encoder: Path, tiny_classifier: Path, traces: Path
) -> None:
    folders = [str(tiny_encoder), str(tiny_classifier), str(traces)]
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, *folders], cwd=ROOT, check=False, capture_output=True)
    assert done.returncode == 7, done.stderr.decode()[-500:]
