"""The ways in which others get the gradient of several workers wrong are told from the right one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from actors.train.peers import Alone
from tests.support.training import made_steps
from tests.support.training.made_steps import CASES, gradients

ROOT = Path(__file__).parents[5]
SUMMED = "self._peers.add(*(gradient for of_side in gradients.values() for gradient in of_side))"
CODE = Path("actors/train/retriever/gradients.py")
MASKS = "masked_bC = self._masked(batch, rows_b).to(device)\n"
OTHERS = "torch.arange(masked_bC.shape[1]) % self._peers.size != self._peers.rank"
WRONG = {
    "negatives of its own": (MASKS, f"{MASKS}        masked_bC[:, {OTHERS}] = True\n"),
    "others' vectors without a gradient": (SUMMED, "pass"),
    "a mean where a sum is due": ("torch.full_like(part, share)", "torch.full_like(part, share / self._peers.size)"),
}


@pytest.mark.whole
@pytest.mark.parametrize("wrong", WRONG)
def test_two_workers_that_compute_it_wrongly_are_seen(wrong: str, tiny_encoder: Path, tmp_path: Path) -> None:
    for folder in ("actors", "retrieval", "schemas", "tests/support"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    right, code = WRONG[wrong][0], (tmp_path / CODE).read_text()
    assert code.count(right) == 1
    (tmp_path / CODE).write_text(code.replace(*WRONG[wrong]))
    command = [sys.executable, "-m", made_steps.__name__, str(tiny_encoder), str(tmp_path), str(tmp_path / "meeting")]
    running = [subprocess.Popen([*command, str(rank), "2"], cwd=tmp_path) for rank in range(2)]
    assert [one.wait() for one in running] == [0, 0]
    alone = gradients(tiny_encoder, CASES["two-way"], Alone())
    [of_worker, _] = made_steps.of_workers(tmp_path, "two-way", 2)
    assert any((of_worker[of] - gradient).abs().max() > 1e-6 for of, gradient in alone.items())
