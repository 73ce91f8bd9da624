"""Objects that are what they were: kept under a name that is their sha256, or checked against a manifest."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from schemas.base import Frozen, first_wrong
from schemas.errors import IntegrityError, StoreError
from schemas.manifest import FileDigest
from schemas.store import Store

HEAD_BYTES = 64 * 1024

Document = TypeVar("Document", bound=Frozen)


def write_bytes(store: Store, key: str, content: bytes, *, again: bool = False) -> None:
    """Store a small object; again: it will be read here by its path."""
    with store.incoming(key, again=again) as path:
        path.write_bytes(content)


def write_named(store: Store, place: Callable[[str], str], content: bytes) -> str:
    """Store bytes under the key of their sha256, which is returned; they may be there already."""
    sha256 = hashlib.sha256(content).hexdigest()
    if store.facts(place(sha256)) is None:
        write_bytes(store, place(sha256), content, again=True)
    return sha256


def read_bytes(store: Store, key: str, what: str) -> bytes:
    """Return a small object; StoreError where there is none says `what` it would have been."""
    if (content := store.read(key)) is None:
        raise StoreError(f"{what} is not in the store: no file {store.name(key)}")
    return content


def read_named(store: Store, place: Callable[[str], str], sha256: str, what: str, *, here: bool = True) -> bytes:
    """Return what `write_named` stored; what is on this machine already will do, unless `here` says that it must not.

    Raises:
        StoreError: there is no such object.
        IntegrityError: it is not what it was.
    """
    with suppress(StoreError, FileNotFoundError):
        if here and hashlib.sha256(content := store.local(place(sha256)).read_bytes()).hexdigest() == sha256:
            return content
    content = read_bytes(store, place(sha256), f"{what} {sha256}")
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        name = f"its name says {sha256[:12]}…"
        raise IntegrityError(f"{store.name(place(sha256))}: sha256 {found[:12]}…, {name}; restore it from a copy")
    return content


def read_document(store: Store, key: str, kind: type[Document], what: str, *, here: bool = False) -> Document:
    """Return a JSON document of the store. here: what is on this machine already will do, if it is as new.

    Raises:
        StoreError: there is no such object.
        IntegrityError: it is not JSON, or not of its kind.
    """
    if here:
        with suppress(StoreError, FileNotFoundError):
            return parse_document(store.name(key), store.local(key).read_bytes(), kind)
    return parse_document(store.name(key), read_bytes(store, key, what), kind)


def parse_document(name: str, content: bytes, kind: type[Document]) -> Document:
    """Return the JSON document of a name; IntegrityError: it is not JSON, or not of its kind."""
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        reason = first_wrong(error)
        raise IntegrityError(f"{name}: not a {kind.__name__} ({reason}); restore the file or remove it") from None


def file_digest(path: Path) -> FileDigest:
    """Read a whole file and return its size and digests."""
    with path.open("rb") as file:
        head = hashlib.sha256(file.read(HEAD_BYTES)).hexdigest()
        file.seek(0)
        whole = hashlib.file_digest(file, "sha256").hexdigest()
    return FileDigest(bytes=path.stat().st_size, sha256=whole, head=head)


def check_file(path: Path, expected: FileDigest, *, whole: bool = False) -> None:
    """Check size and first bytes (`whole`: every byte) of a file.

    Raises:
        IntegrityError: names the file and what is wrong with it.
    """
    if not path.exists():
        raise IntegrityError(f"{path}: file is missing; restore it from a copy")
    if (size := path.stat().st_size) != expected.bytes:
        raise IntegrityError(f"{path}: {size} bytes, its manifest says {expected.bytes}; restore it from a copy")
    if whole:
        found, wanted = file_digest(path).sha256, expected.sha256
    else:
        with path.open("rb") as file:
            found, wanted = hashlib.sha256(file.read(HEAD_BYTES)).hexdigest(), expected.head
    if found != wanted:
        raise IntegrityError(f"{path}: sha256 {found[:12]}…, its manifest says {wanted[:12]}…; restore it from a copy")
