import inspect

import pytest

from schemas import errors
from schemas.errors import PubrayError

CLASSES = dict(inspect.getmembers(errors, inspect.isclass))


@pytest.mark.parametrize("name", CLASSES)
def test_the_exit_code_is_1_unless_the_class_says_another(name: str) -> None:
    kind = CLASSES[name]
    assert issubclass(kind, PubrayError)
    own = {"UsageError": 2, "WeightsError": 3, "WriterError": 4, "CheckError": 5, "RowsError": 5}
    assert kind.exit_code == own.get(name, 1)
