"""Files of a version that are there, and that are not what they were."""

from contextlib import nullcontext
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


@pytest.mark.parametrize("name", [LISTS, ROWS])
def test_of_what_is_served_already_only_the_lengths_are_looked_at(name: str, tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    old, new = version.segments
    served = version.model_copy(update={"segments": (old,)})
    for segment, notices in ((old, False), (new, True)):
        file = store.path(f"{Layout.segment(segment.id)}/{name}")
        whole = file.read_bytes()
        file.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
        with pytest.raises(IntegrityError, match=name) if notices else nullcontext():
            check_files(store, version, served)
        file.write_bytes(whole[:-1])
        with pytest.raises(IntegrityError, match=f"{name}: .*restore it from a copy"):
            check_files(store, version, served)
        file.unlink()
        with pytest.raises(IntegrityError, match=f"{name}: file is missing"):
            check_files(store, version, served)
        file.write_bytes(whole)
    check_files(store, version, served)


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
