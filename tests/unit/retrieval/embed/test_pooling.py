import pytest
import torch

from retrieval.embed.pooling import pool, unit
from schemas.encoder import Pooling

# two texts of 2 and 3 tokens, 2 dimensions; 99 and 77 are what stands behind the padding
RIGHT = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [99.0, 77.0]], [[1.0, 0.0], [2.0, 3.0], [6.0, 9.0]]])
RIGHT_MASK = torch.tensor([[1, 1, 0], [1, 1, 1]])
LEFT = torch.tensor([[[99.0, 77.0], [1.0, 2.0], [3.0, 6.0]], [[1.0, 0.0], [2.0, 3.0], [6.0, 9.0]]])
LEFT_MASK = torch.tensor([[0, 1, 1], [1, 1, 1]])


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("pooling", "expected"),
    [("mean", [[2.0, 4.0], [3.0, 4.0]]), ("last", [[3.0, 6.0], [6.0, 9.0]])],
)
@pytest.mark.parametrize(("hidden", "mask"), [(RIGHT, RIGHT_MASK), (LEFT, LEFT_MASK)], ids=["right", "left"])
def test_mean_and_last_see_real_tokens_whichever_side_is_padded(
    hidden: torch.Tensor, mask: torch.Tensor, pooling: Pooling, expected: list[list[float]], kind: torch.dtype
) -> None:
    vectors = pool(hidden.to(kind), mask, pooling)
    assert vectors.tolist() == expected
    assert vectors.dtype == torch.float32


def test_cls_is_the_first_token_of_what_is_padded_on_the_right() -> None:
    vectors = pool(RIGHT.bfloat16(), RIGHT_MASK, "cls")
    assert vectors.tolist() == [[1.0, 2.0], [1.0, 0.0]]
    assert vectors.dtype == torch.float32


def test_the_mean_of_many_bfloat16_tokens_is_added_up_in_float32() -> None:
    hidden = torch.full((1, 512, 1), 1.0, dtype=torch.bfloat16)  # in bfloat16 the sum would stop at 256
    assert pool(hidden, torch.ones(1, 512, dtype=torch.int64), "mean").item() == 1.0


def test_unit_vectors_have_length_one_and_their_direction() -> None:
    assert torch.allclose(unit(torch.tensor([[3.0, 4.0], [0.0, -2.0]])), torch.tensor([[0.6, 0.8], [0.0, -1.0]]))
    assert unit(torch.zeros(1, 2)).tolist() == [[0.0, 0.0]]
