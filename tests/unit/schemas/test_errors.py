import inspect
import re

import pytest

from schemas import errors
from schemas.errors import PubrayError

CLASSES = dict(inspect.getmembers(errors, inspect.isclass))


def described() -> dict[str, str]:
    """The name of each error in the module's description, with its parent's."""
    found, path = {}, list[str]()
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"([│├└─ ]*)(\w+Error)\b", line):
            depth = len(match[1]) // 4
            path[depth:] = [match[2]]
            found[match[2]] = path[depth - 1] if depth else "Exception"
    return found


def test_the_tree_that_is_described_is_that_of_the_classes() -> None:
    assert described() == {name: kind.__mro__[1].__name__ for name, kind in CLASSES.items()}


@pytest.mark.parametrize("name", CLASSES)
def test_the_exit_code_is_1_but_for_usage_and_for_weights(name: str) -> None:
    kind = CLASSES[name]
    assert issubclass(kind, PubrayError)
    assert kind.exit_code == {"UsageError": 2, "WeightsError": 3}.get(name, 1)
