from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from retrieval.files.checked import (
    HEAD_BYTES,
    check_file,
    file_digest,
    read_bytes,
    read_document,
    read_named,
    write_bytes,
    write_named,
)
from schemas.errors import IntegrityError, StoreError
from schemas.manifest import Current


def test_an_object_that_is_named_by_its_sha256_is_checked_against_it(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))

    def place(sha256: str) -> str:
        return f"{sha256}.bin"

    name = write_named(store, place, b"content")
    assert write_named(store, place, b"content") == name
    assert read_named(store, place, name, "thing") == b"content"
    store.path(place(name)).write_bytes(b"contenT")
    with pytest.raises(IntegrityError, match=rf"^{store.path(place(name))}: sha256 .*its name says {name[:12]}"):
        read_named(store, place, name, "thing")
    store.path(place(name)).unlink()
    with pytest.raises(StoreError, match=f"^thing {name} is not in the store"):
        read_named(store, place, name, "thing")


def test_a_missing_object_is_named_with_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=rf"^version v1 is not in the store: no file {tmp_path}/v1$"):
        read_bytes(LocalStore(str(tmp_path)), "v1", "version v1")


def test_a_document_is_read_as_its_kind(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    write_bytes(store, "CURRENT", b'{"version": "v1", "epoch": 3}')
    assert read_document(store, "CURRENT", Current, "CURRENT") == Current(version="v1", epoch=3)


@pytest.mark.parametrize(
    "content", [b"", b'{"version": "v1"', b'{"vershion": "v1"}', b'{"version": 1}', b"\xff", b"[]"]
)
def test_a_document_of_another_kind_is_refused_by_name_in_one_line(content: bytes, tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    write_bytes(store, "CURRENT", content)
    with pytest.raises(IntegrityError, match=rf"^{tmp_path}/CURRENT: not a Current \(.*\); restore .*$") as caught:
        read_document(store, "CURRENT", Current, "CURRENT")
    assert "\n" not in str(caught.value)


def test_a_flip_behind_the_head_is_found_by_reading_the_whole(tmp_path: Path) -> None:
    content = bytearray(HEAD_BYTES + 10)
    (tmp_path / "a").write_bytes(content)
    digest = file_digest(tmp_path / "a")
    content[-1] = 1
    (tmp_path / "a").write_bytes(content)
    check_file(tmp_path / "a", digest)
    with pytest.raises(IntegrityError, match=rf"^{tmp_path}/a: sha256 \w{{12}}…, its manifest says \w{{12}}…; restore"):
        check_file(tmp_path / "a", digest, whole=True)


def test_a_flip_in_the_head_is_found_at_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    digest = file_digest(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"abd")
    with pytest.raises(IntegrityError, match="a: sha256"):
        check_file(tmp_path / "a", digest)


def test_another_size_or_no_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    digest = file_digest(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"ab")
    with pytest.raises(
        IntegrityError,
        match=rf"^{tmp_path}/a: 2 bytes, its manifest says 3; restore it from a copy$",
    ):
        check_file(tmp_path / "a", digest)
    (tmp_path / "a").unlink()
    with pytest.raises(
        IntegrityError,
        match=rf"^{tmp_path}/a: file is missing; restore it from a copy$",
    ):
        check_file(tmp_path / "a", digest)
