import os
from pathlib import Path

import faiss
import pytest
import torch

from actors.engine import cpu_threads
from actors.engine.cpu_threads import available_threads, using_threads


def test_threads_are_as_many_as_given_and_as_before_afterwards() -> None:
    before = torch.get_num_threads(), faiss.omp_get_max_threads()
    with pytest.raises(KeyError), using_threads(3):
        assert (torch.get_num_threads(), faiss.omp_get_max_threads()) == (3, 3)
        raise KeyError
    assert (torch.get_num_threads(), faiss.omp_get_max_threads()) == before


@pytest.mark.parametrize(("limit", "cores"), [("max 100000", None), ("100000 100000", 1), ("50000 100000", 1)])
def test_there_is_a_thread_for_each_core_of_this_process_or_of_its_container(
    limit: str, cores: int | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cpu.max").write_text(limit)
    monkeypatch.setattr(cpu_threads, "CPU_LIMIT", tmp_path / "cpu.max")
    assert available_threads() == (cores or len(os.sched_getaffinity(0)))
    monkeypatch.setattr(cpu_threads, "CPU_LIMIT", tmp_path / "none")
    assert available_threads() == len(os.sched_getaffinity(0))
