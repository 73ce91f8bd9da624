"""What holds for every test: how much of a comparison runs, and no deadline for examples."""

import pytest
from hypothesis import settings

from tests.support.examples import QUICK, WHOLE

# The first example of a run imports and compiles what the others find ready, and machines are shared: no deadline.
settings.register_profile(QUICK, deadline=None)
settings.register_profile(WHOLE, deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole", action="store_true", help="every record and encoding, and what takes minutes")


def pytest_configure(config: pytest.Config) -> None:
    """Choose before tests are imported, which is when `examples` is asked."""
    settings.load_profile(WHOLE if config.getoption("--whole") else QUICK)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only `make test-all` runs."""
    if config.getoption("--whole"):
        return
    left_out = [item for item in items if item.get_closest_marker("whole")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def whole(request: pytest.FixtureRequest) -> bool:
    """Whether comparisons are to run over everything; otherwise they take a fixed sample."""
    return bool(request.config.getoption("--whole"))
