"""TorchInductor with a real C++ compiler, which takes a while."""

import shutil
from pathlib import Path

import pytest
import torch

from actors.engine.engines import load_engine
from schemas.config import EngineConfig
from tests.support.models import tiny

PLAIN = EngineConfig(kind="torch", device="cpu", precision="float32")


@pytest.mark.whole
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
@pytest.mark.timeout(900)  # 20 s of an idle machine
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")  # torch's own
def test_a_compiled_model_gives_what_it_gave(tmp_path: Path) -> None:
    folder = tiny.encoder(tmp_path / "model")
    compiled, plain = (
        load_engine(folder, "encoder", PLAIN.model_copy(update={"compile": on}), threads=1, cache=tmp_path)
        for on in (True, False)
    )
    together = tiny.pairs(folder)
    ids, mask, segments = (array[1:2] for array in together[:3])
    alone = together._replace(ids=ids, mask=mask, segments=segments, positions=[0])  # the longest: no padding
    assert alone.mask.all()
    for batch in (together, alone):
        torch.testing.assert_close(compiled(batch), plain(batch), rtol=0, atol=1e-4)
