"""What S3 does that a folder does not."""

import json
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.store import s3_store
from actors.store.node_cache import NodeCache
from actors.store.s3_client import client
from actors.store.s3_store import S3Store
from retrieval.files.checked import file_digest, write_bytes
from schemas.errors import IntegrityError, StoreError
from tests.support.examples import examples
from tests.support.s3.fault_proxy import FaultProxy, fault_proxy
from tests.support.s3.moto_server import environment


@pytest.fixture
def proxy(moto: str) -> Iterator[FaultProxy]:
    with fault_proxy(moto) as proxy, environment(proxy.address):
        yield proxy


@pytest.fixture
def faulty(proxy: FaultProxy, s3: S3Store) -> S3Store:
    """A store behind the proxy."""
    return s3


@pytest.mark.parametrize("expected", [None, b"before"])
def test_a_swap_whose_reply_is_lost_has_succeeded(expected: bytes | None, faulty: S3Store, proxy: FaultProxy) -> None:
    if expected:
        write_bytes(faulty, "CURRENT", expected)
    proxy.fault("lose", "^PUT .*CURRENT")
    assert faulty.swap("CURRENT", expected, b"after")
    assert faulty.read("CURRENT") == b"after"
    assert sum(one.line.startswith("PUT") for one in proxy.seen) == 2 + bool(expected)


def test_a_swap_that_lost_after_a_lost_reply_is_known(faulty: S3Store, proxy: FaultProxy) -> None:
    proxy.fault("reset", "^PUT .*CURRENT")
    assert faulty.swap("CURRENT", None, b"mine")
    proxy.fault("lose", "^PUT .*CURRENT")
    assert not faulty.swap("CURRENT", None, b"other")
    assert faulty.read("CURRENT") == b"mine"


def add_lines(store: S3Store, added: list[str]) -> None:
    """Add two lines, with another one whenever somebody else was faster."""
    for _ in range(2):
        while True:
            before, line = store.read("n"), uuid.uuid4().hex
            if store.swap("n", before, (before or b"") + f"{line}\n".encode()):
                added.append(line)
                break


@examples(3, whole=30)
@given(faults=st.lists(st.tuples(st.sampled_from(["lose", "reset"]), st.integers(1, 3)), max_size=6))
def test_no_swap_of_eight_racers_is_lost_or_made_twice_though_replies_are(
    faults: list[tuple[Literal["lose", "reset"], int]],
    moto: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with fault_proxy(moto) as proxy, environment(proxy.address):
        store = S3Store(f"s3://b-1/{uuid.uuid4()}", NodeCache(str(tmp_path_factory.mktemp("cache")), None))
        for kind, times in faults:
            proxy.fault(kind, "^PUT .*/n", times)
        added = list[str]()
        racers = [threading.Thread(target=add_lines, args=(store, added)) for _ in range(8)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        lines = (store.read("n") or b"").decode().split()
    assert len(added) == 16
    assert set(added) <= set(lines)
    assert len(set(lines)) == len(lines)
    # Whose reply was lost, and what he wrote replaced before he could look, is told that he did not write it.
    assert len(lines) - len(added) <= sum(times for kind, times in faults if kind == "lose")


@pytest.mark.parametrize("kind", ["reset", "cut", pytest.param("slow down", marks=pytest.mark.whole)])
def test_every_kind_of_reading_and_writing_survives(
    kind: str, faulty: S3Store, proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_store, "RANGE", 100_000)
    content = np.random.default_rng(0).bytes(250_000)
    (tmp_path / "same").write_bytes(content)
    digest, table = file_digest(tmp_path / "same"), pa.table({"a": np.arange(1000)})

    def fail() -> None:
        proxy.fault(kind, "^GET" if kind == "cut" else "^(GET|PUT|HEAD)")  # type: ignore[arg-type]

    fail()
    with faulty.incoming("s", last="m.json") as path:
        path.mkdir()
        (path / "rows").write_bytes(content)
        pq.write_table(table, path / "t.parquet")
        fail()
        (path / "m.json").write_text("{}")
    for small in (s3_store.SMALL, 0):  # at once, and in ranges
        monkeypatch.setattr(s3_store, "SMALL", small)
        fail()
        other = S3Store(faulty.root, NodeCache(str(tmp_path / f"elsewhere-{small}"), None))
        assert other.local("s/rows", digest).read_bytes() == content
    fail()
    assert faulty.ranges("s/rows", [5, 200_000], 9) == content[5:14] + content[200_000:200_009]
    fail()
    with faulty.parquet("s/t.parquet") as file:
        fail()
        assert file.read().equals(table)
    fail()
    assert faulty.read("s/m.json") == b"{}"
    fail()
    assert sorted(faulty.names("s")) == ["m.json", "rows", "t.parquet"]
    assert not any(fault.times for fault in proxy.faults)


def test_what_is_on_this_machine_is_no_proof_of_what_the_bucket_has(s3: S3Store, tmp_path: Path) -> None:
    (tmp_path / "same").write_bytes(b"content")
    digest = file_digest(tmp_path / "same")
    for key in ("lost", "damaged"):
        write_bytes(s3, key, b"content")
        assert s3.local(key, digest).read_bytes() == b"content"
    s3.remove("lost")
    S3Store(s3.root, NodeCache(str(tmp_path / "elsewhere"), None)).swap("damaged", b"content", b"contenx")
    for key in ("lost", "damaged"):
        assert s3.local(key, digest).read_bytes() == b"content"
        with pytest.raises(IntegrityError, match=f"{key}: (file is missing|sha256)"):
            s3.check(key, digest, whole=True)


def test_another_object_of_the_same_key_size_and_head_is_not_taken_for_it(s3: S3Store, tmp_path: Path) -> None:
    first = np.random.default_rng(0).bytes(100_000)
    for content in (first, first[:-1] + b"x"):
        (tmp_path / "same").write_bytes(content)
        write_bytes(s3, "s/rows", content)
        assert s3.local("s/rows", file_digest(tmp_path / "same")).read_bytes() == content


def test_a_body_that_is_cut_off_is_asked_for_again(faulty: S3Store, proxy: FaultProxy, tmp_path: Path) -> None:
    content = np.random.default_rng(0).bytes(60_000)
    (tmp_path / "same").write_bytes(content)
    write_bytes(faulty, "a", content)
    proxy.fault("cut", "^GET")
    assert faulty.read("a") == content
    proxy.fault("cut", "^GET")
    faulty.check("a", file_digest(tmp_path / "same"))
    assert not any(fault.times for fault in proxy.faults)


def test_an_upload_in_pieces_whose_end_is_told_too_late_is_made_again(
    faulty: S3Store, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_store, "PIECE", 5 << 20)
    content = np.random.default_rng(0).bytes(11 << 20)
    proxy.fault("lose", "^POST .*uploadId")
    write_bytes(faulty, "large", content)
    assert faulty.read("large") == content
    assert not any(fault.times for fault in proxy.faults)


@pytest.mark.whole
def test_a_server_that_slows_eight_requests_down_is_waited_for(faulty: S3Store, proxy: FaultProxy) -> None:
    write_bytes(faulty, "a", b"content")
    with faulty.incoming("t.parquet") as path:
        pq.write_table(pa.table({"a": [1]}), path)
    for _ in range(3):
        proxy.fault("slow down", "^(GET|PUT|HEAD)", 8)
        assert faulty.read("a") == b"content"
    proxy.fault("slow down", "^(GET|HEAD)", 8)
    with faulty.parquet("t.parquet") as file:
        assert file.read()["a"].to_pylist() == [1]


def test_what_is_denied_is_one_line_with_bucket_key_operation_and_credentials(
    faulty: S3Store, proxy: FaultProxy
) -> None:
    proxy.fault("deny", "^GET", 9)
    with pytest.raises(
        StoreError, match=r"^s3://b-1/.*/store/a: read is not allowed \(.*\) with the credentials by env"
    ):
        faulty.read("a")


def test_tags_without_quotes_are_known_too(s3: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ceph before version 18 has it: a tag with its quotes is another one."""
    write_bytes(s3, "CURRENT", b"before")
    call = S3Store._call

    def strict(self: S3Store, operation: str, key: str, method: str, **values: str) -> object:
        if '"' in values.get("IfMatch", ""):
            values["IfMatch"] = '"another"'
        return call(self, operation, key, method, **values)

    monkeypatch.setattr(S3Store, "_call", strict)
    assert s3.swap("CURRENT", b"before", b"after")
    assert s3.read("CURRENT") == b"after"


@pytest.mark.whole
def test_long_lists_come_page_by_page(s3: S3Store) -> None:
    keys = [f"many/{number:04}" for number in range(1001)]
    client().pipe({f"{s3.root.removeprefix('s3://')}/{key}": b"" for key in keys})
    assert sorted(one.key for one in s3.entries("many")) == keys
    assert len(list(s3.names("many"))) == 1001


def test_uploads_that_did_not_end_are_found_and_aborted(s3: S3Store) -> None:
    prefix = s3.root.removeprefix("s3://b-1/")
    client().call_s3("create_multipart_upload", Bucket="b-1", Key=f"{prefix}/segments/s/rows")
    [left] = s3.unfinished()
    assert left.key.startswith("segments/s/rows?uploadId=")
    s3.remove(left.key)
    assert list(s3.unfinished()) == []


def test_a_folder_without_its_manifest_is_written_over(s3: S3Store) -> None:
    write_bytes(s3, "s/a", b"of a run that was killed")
    with s3.incoming("s", last="m.json") as path:
        path.mkdir()
        (path / "a").write_bytes(b"whole")
        (path / "m.json").write_text(json.dumps({}))
    assert s3.read("s/a") == b"whole"


def test_what_was_written_as_a_folder_is_here_already(faulty: S3Store, proxy: FaultProxy, tmp_path: Path) -> None:
    (tmp_path / "same").write_bytes(b"rows")
    with faulty.incoming("s", last="m.json") as path:
        path.mkdir()
        (path / "rows").write_bytes(b"rows")
        (path / "m.json").write_text("{}")
    proxy.seen.clear()
    assert faulty.local("s/rows", file_digest(tmp_path / "same")).read_bytes() == b"rows"
    assert proxy.seen == []


def test_what_cannot_be_here_at_a_time_is_refused_with_the_arithmetic(s3: S3Store) -> None:
    small = S3Store(s3.root, NodeCache(s3.cache.folder, 2_000_000_000))
    small.check_room(2_000_000_000)
    told = r"8\.5 GB are to be here at a time, the cache .* holds 2\.0 GB; set cache_bytes, PUBRAY_CACHE to a"
    with pytest.raises(StoreError, match=told):
        small.check_room(8_500_000_000)


def test_a_cache_holds_several_stores(s3: S3Store, tmp_path: Path) -> None:
    other = S3Store(f"{s3.root}-2", s3.cache)
    for store, content in ((s3, b"one"), (other, b"two")):
        write_bytes(store, "a", content)
    assert [store.local("a").read_bytes() for store in (s3, other)] == [b"one", b"two"]
    assert s3.work("x") != other.work("x")
