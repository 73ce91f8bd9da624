"""Files of a version that are there, and that are not what they were."""

from pathlib import Path

import numpy as np
import pytest

from actors.store.local_store import LocalStore
from jobs.steps.index.file_checks import check_files
from retrieval.rows.row_numbers import write_tombstones
from schemas.errors import IntegrityError
from schemas.layout import LISTS, ROWS, Layout
from tests.support.stores.hand_made_version import write_version


@pytest.mark.parametrize("name", [LISTS, ROWS])
def test_a_file_that_is_shorter_or_begins_otherwise_is_named(name: str, tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    check_files(store, version)
    file = store.path(f"{Layout.segment(version.segments[-1].id)}/{name}")
    whole = file.read_bytes()
    for broken in (whole[:-1], bytes([whole[0] ^ 1]) + whole[1:]):
        file.write_bytes(broken)
        with pytest.raises(IntegrityError, match=name):
            check_files(store, version)
    file.write_bytes(whole)
    check_files(store, version)


@pytest.mark.parametrize("folder", ["quantizers", "truths", "tombstones"])
def test_what_a_search_reads_beside_segments_is_missed(folder: str, tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    buried = {version.segments[0].id: write_tombstones(store, np.arange(1))}
    version = version.model_copy(update={"tombstones": buried})
    check_files(store, version)
    for file in (tmp_path / folder).iterdir():
        file.unlink()
    with pytest.raises(IntegrityError, match=f"{folder}/.*: file is missing; restore it from a copy"):
        check_files(store, version)
