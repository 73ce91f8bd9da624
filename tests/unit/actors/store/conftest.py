import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from actors.store.node_cache import NodeCache
from actors.store.s3_store import S3Store
from schemas.store import Store
from tests.support.s3.ceph_server import KEYS, ceph_server
from tests.support.s3.moto_server import environment, moto_server


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    with moto_server() as address:
        yield address


@pytest.fixture
def s3(moto: str, tmp_path: Path, request: pytest.FixtureRequest) -> S3Store:
    """An empty one."""
    return bucket_of(request, tmp_path)


def bucket_of(request: pytest.FixtureRequest, folder: Path) -> S3Store:
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    return S3Store(f"s3://b-1/{name}/store", NodeCache(str(folder / "cache"), None))


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ceph_server(tmp_path_factory.mktemp("ceph")) as address:
        yield address


@pytest.fixture(params=["folder", "s3", pytest.param("ceph", marks=pytest.mark.whole)])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store of each kind."""
    if request.param == "folder":
        yield LocalStore(str(tmp_path / "store"))
    elif request.param == "s3":
        yield request.getfixturevalue("s3")
    else:
        with environment(request.getfixturevalue("ceph"), *KEYS):
            yield bucket_of(request, tmp_path)
