from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from jobs.common.contents import contents_of
from retrieval.files.checked import write_bytes
from schemas.layout import Layout
from schemas.manifest import Current
from tests.support.stores.hand_made_version import write_version
from tests.support.stores.store_files import add_versions, set_current


def test_files_of_a_segment_are_one_entry_and_what_is_not_written_once_is_none(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    add_versions(store, "a", of=version)
    set_current(store, Current(version="a"))
    for key in (Layout.run_report("r"), Layout.source("x.xml.gz"), "shards/inputs/0/lists.faiss"):
        write_bytes(store, key, b"12345")
    store.path("truths/.half.1234.tmp").write_bytes(b"half")
    contents = contents_of(store)
    found = {(entry.kind, entry.name): entry for entry in contents.entries}
    segment = version.segments[0]
    size = sum(file.stat().st_size for file in store.path(Layout.segment(segment.id)).iterdir())
    assert found["segments", segment.id].bytes == size
    assert found["worker shards", "inputs"].key == "shards/inputs"
    assert found["temporary", "truths/.half.1234.tmp"].bytes == 4
    assert {kind for kind, _ in found} == {"segments", "worker shards", "temporary", "quantizers", "truths", "versions"}


@pytest.mark.parametrize("removing", [(), ("b",)])
def test_the_spaces_of_versions_that_are_being_removed_are_known(removing: tuple[str, ...], tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    add_versions(store, "a", "b")
    set_current(store, Current(version="a", removing=removing))
    contents = contents_of(store)
    assert [version.id for version in contents.versions] == ["a", "b"][: 2 - len(removing)]
    assert len(contents.spaces) == 1
