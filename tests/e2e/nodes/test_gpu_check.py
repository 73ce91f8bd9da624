"""The check of a GPU, tried on a CPU, where neither Ray nor FAISS is installed and where both are."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[3]
BLOCKED = "import runpy, sys; sys.modules.update(dict.fromkeys(sys.argv.pop(1).split()))"
RUN = f"{BLOCKED}; runpy.run_module('benchmarks.gpu', run_name='__main__')"


@pytest.mark.whole
@pytest.mark.parametrize("missing", ["ray", "ray faiss"])
def test_it_says_what_it_found_and_what_it_left_out(missing: str) -> None:
    command = [sys.executable, "-c", RUN, missing, "--device", "cpu", "--small", "--json"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert {"BERT-base, articles/s", "MaxSim", "training, loss before / after"} <= {row["check"] for row in rows}
    left_out = [row["check"] for row in rows if row["skipped"].startswith("left out: import of faiss")]
    assert left_out == (["index_rates"] if "faiss" in missing else [])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu"], cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "no CUDA device, or a torch without CUDA\n")
