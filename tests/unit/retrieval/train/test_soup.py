import pytest
import torch

from retrieval.train.soup import soup


@pytest.mark.parametrize(("share", "wanted"), [(0.0, [1.0, 2.0]), (0.25, [2.0, 2.0]), (1.0, [5.0, 2.0])])
def test_a_soup_lies_between_the_weights(share: float, wanted: list[float]) -> None:
    made = soup({"w": torch.tensor([1.0, 2.0])}, {"w": torch.tensor([5.0, 2.0])}, share)
    assert made["w"].tolist() == wanted
