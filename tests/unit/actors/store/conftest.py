from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from actors.store.node_cache import NodeCache
from actors.store.s3_store import S3Store
from schemas.store import Store
from tests.support.s3.moto_server import moto_server

Make = Callable[[], Store]


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    with moto_server() as address:
        yield address


@pytest.fixture
def s3(moto: str, tmp_path: Path, request: pytest.FixtureRequest) -> S3Store:
    """An empty one."""
    name = str(abs(hash(request.node.nodeid)))
    return S3Store(f"s3://b-1/{name}/store", NodeCache(str(tmp_path / "cache"), None))


@pytest.fixture(params=["folder", "s3"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Store:
    """An empty store of each kind."""
    if request.param == "folder":
        return LocalStore(str(tmp_path / "store"))
    s3: S3Store = request.getfixturevalue("s3")
    return s3
