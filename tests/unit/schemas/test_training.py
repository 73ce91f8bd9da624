from typing import Any

import pytest
from pydantic import ValidationError

from schemas.training import TrainConfig


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"loss": "none", "distil": "none"}, "nothing would be learnt"),
        ({"batch": 40}, "no multiple of neighbours 16"),
        ({"warmup": 100}, "not below steps 100"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(values: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        TrainConfig(**values)
