from pathlib import Path

from actors.store.local_store import LocalStore
from actors.store.stores import open_store
from tests.support.stores.store_files import config


def test_a_folder_is_a_local_store(tmp_path: Path) -> None:
    assert open_store(config(tmp_path)) == LocalStore(str(tmp_path))
