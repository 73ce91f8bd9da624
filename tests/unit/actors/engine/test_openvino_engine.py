import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
import torch

from actors.engine.engines import load_engine
from actors.engine.openvino_engine import _traced
from retrieval.embed.tokens import TokenBatch
from schemas.config import EngineConfig
from schemas.errors import UsageError
from tests.support.models import tiny

ROOT = Path(__file__).parents[4]
OPENVINO = EngineConfig(kind="openvino", precision="float32")


def test_a_model_is_traced_once(tiny_encoder: Path, tmp_path: Path) -> None:
    batch = tiny.pairs(tiny_encoder)
    load_engine(tiny_encoder, "encoder", OPENVINO, threads=1, cache=tmp_path)(batch)
    [traced] = tmp_path.glob("openvino/*/model.xml")
    before = traced.stat().st_mtime_ns
    _traced.cache_clear()  # as in another process
    load_engine(tiny_encoder, "encoder", OPENVINO, threads=1, cache=tmp_path)(batch)
    assert [traced] == list(tmp_path.glob("openvino/*/model.xml"))
    assert traced.stat().st_mtime_ns == before


@pytest.mark.skipif(
    "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"), reason="this CPU computes in bfloat16"
)
def test_bfloat16_is_refused_where_the_processor_has_none(tiny_encoder: Path, traces: Path) -> None:
    half = EngineConfig(kind="openvino", precision="bfloat16")
    with pytest.raises(UsageError, match=r"engine\.precision = 'bfloat16'"):
        load_engine(tiny_encoder, "encoder", half, threads=1, cache=traces)


def test_requests_from_several_threads_do_not_mix(tiny_encoder: Path, traces: Path) -> None:
    run = load_engine(tiny_encoder, "encoder", OPENVINO, threads=1, cache=traces)
    batch = tiny.pairs(tiny_encoder)
    rows = [
        TokenBatch(batch.ids[i : i + 1], batch.mask[i : i + 1], batch.segments[i : i + 1], [0])
        for i in range(len(batch.ids))
    ]
    alone = [run(row) for row in rows]
    with ThreadPoolExecutor(4) as pool:
        for number, result in enumerate(pool.map(run, rows * 20)):
            np.testing.assert_array_equal(result, alone[number % len(rows)])


def test_passes_that_several_threads_ask_for_run_in_one(tiny_encoder: Path, traces: Path) -> None:
    engine = load_engine(tiny_encoder, "encoder", OPENVINO, threads=1, cache=traces)
    batch = tiny.pairs(tiny_encoder)
    seen: set[int] = set()

    def finish(output: torch.Tensor, _mask: torch.Tensor) -> torch.Tensor:
        seen.add(threading.get_ident())
        return output

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: list(engine.run([batch], finish)), range(20)))
    assert len(seen) == 1


def test_first_requests_from_several_threads_wait_for_one_to_trace(tiny_encoder: Path, tmp_path: Path) -> None:
    run = load_engine(tiny_encoder, "encoder", OPENVINO, threads=1, cache=tmp_path)
    _traced.cache_clear()
    batch = tiny.pairs(tiny_encoder)
    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(run, [batch] * 4)
    for other in others:
        np.testing.assert_array_equal(other, first)
    assert _traced.cache_info().misses == 1


def test_tracing_says_nothing(tiny_encoder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    transformers = logging.getLogger("transformers")
    logging.Logger.warning_once.cache_clear()  # type: ignore[attr-defined]  # theirs, that says a thing once
    transformers.addHandler(caplog.handler)
    _traced(tiny_encoder, "encoder", "mean", tmp_path)
    transformers.removeHandler(caplog.handler)
    assert caplog.messages == []


INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from actors.engine.engines import load_engine
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


@pytest.mark.whole
def test_ctrl_c_after_models_were_let_go_is_no_segmentation_fault(
    tiny_encoder: Path, tiny_classifier: Path, traces: Path
) -> None:
    folders = [str(tiny_encoder), str(tiny_classifier), str(traces)]
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, *folders], cwd=ROOT, check=False, capture_output=True)
    assert done.returncode == 7, done.stderr.decode()[-500:]
