import inspect

import pytest

from schemas import errors
from schemas.errors import PubrayError

CLASSES = dict(inspect.getmembers(errors, inspect.isclass))


@pytest.mark.parametrize("name", CLASSES)
def test_the_exit_code_is_1_but_for_usage_and_for_weights(name: str) -> None:
    kind = CLASSES[name]
    assert issubclass(kind, PubrayError)
    assert kind.exit_code == {"UsageError": 2, "WeightsError": 3}.get(name, 1)
