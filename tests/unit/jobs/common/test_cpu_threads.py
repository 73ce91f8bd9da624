import faiss
import pytest
import torch

from jobs.common.cpu_threads import available_threads, using_threads


def test_threads_are_as_many_as_given_and_as_before_afterwards() -> None:
    before = torch.get_num_threads(), faiss.omp_get_max_threads()
    with pytest.raises(KeyError), using_threads(3):
        assert (torch.get_num_threads(), faiss.omp_get_max_threads()) == (3, 3)
        raise KeyError
    assert (torch.get_num_threads(), faiss.omp_get_max_threads()) == before


def test_there_is_a_thread_for_each_core_of_this_process() -> None:
    assert available_threads() >= 1
