import os
import time
from pathlib import Path

import numpy as np
import pytest

from actors.store.local_store import LocalStore
from jobs import status
from retrieval.files.checked import write_bytes, write_named
from retrieval.rows.row_numbers import write_tombstones
from schemas.article import Article
from schemas.errors import IntegrityError, StoreError
from schemas.layout import ROWS, SEGMENT_MANIFEST, Layout
from schemas.manifest import Current, FileDigest, Segment, Tombstones
from schemas.report import SegmentStatus
from schemas.snapshot import Lineage
from tests.support.service.seams import VERSION
from tests.support.stores.hand_made_version import write_version
from tests.support.stores.store_files import add_part, add_snapshot, add_versions, config, set_current


def test_an_empty_store_says_what_to_do(tmp_path: Path) -> None:
    report = status.run(config(tmp_path / "none"))
    assert (report.current, report.versions, report.records) == (None, (), 0)
    assert report.bytes == {"articles": 0, "vectors": 0, "segments": 0, "models": 0}
    assert "no versions yet: pubray embed, then pubray index" in status.show(report)


def test_parts_of_the_newest_snapshot_are_counted_and_the_newest_named(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    first = add_part(store, "pubmed26n0001", Article(1), Article(2), Article(3))
    second = add_part(store, "pubmed26n0002", Article(3, title="new"), Article(1, deleted=True), Article(9))
    snapshot = add_snapshot(store, [first, second], add_snapshot(store, [first]))
    report = status.run(config(tmp_path))
    assert (report.snapshot, report.articles, report.pending_parts) == (snapshot.id, 3, ())
    assert (report.article_parts, report.records, report.newest_source) == (2, 5, "pubmed26n0002")
    assert report.bytes["articles"] == sum(f.stat().st_size for f in (tmp_path / "articles").iterdir())
    assert "2 article parts, 5 records, newest pubmed26n0002; 3 articles" in status.show(report)


def test_parts_of_no_snapshot_are_pending(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    old = add_snapshot(store, [add_part(store, "pubmed26n0001", Article(1))])
    names = ["pubmed27n0010", "pubmed27n0009"]
    parts = [add_part(store, name, Article(2)) for name in names]
    report = status.run(config(tmp_path))
    assert (report.article_parts, report.pending_parts) == (1, tuple(names[::-1]))
    assert "2 article parts, from pubmed27n0009, are in no snapshot yet: run pubray ingest again" in status.show(report)
    add_snapshot(store, parts[::-1], old, Lineage(number=1, baseline=("pubmed27n0009", "pubmed27n0010")))
    assert status.run(config(tmp_path)).pending_parts == ()  # nor are last year's


def test_current_and_withdrawn_versions_are_marked(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    add_versions(store, "a", "b", "c")
    set_current(store, Current(version="b", withdrawn=("c",)))
    report = status.run(config(tmp_path))
    assert [v.version for v in report.versions] == ["a", "b", "c"]
    a, b, c = (line.split() for line in status.show(report).splitlines()[-3:])
    assert a[:2] == ["a", "unpromoted"]
    assert b[:2] == ["b", "CURRENT"]
    assert c[:2] == ["c", "withdrawn"]


def test_a_version_tells_its_segments_its_dead_rows_and_how_fresh_it_is(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    built = write_version(store)
    dead = write_tombstones(store, np.array([3, 5], np.int64))
    parts = [add_part(store, f"pubmed26n000{i}", Article(i)) for i in (1, 2)]
    update = {"snapshot": add_snapshot(store, parts).id, "tombstones": {"s1": dead}, "parent": "v0"}
    version = built.model_copy(update=update)
    write_bytes(store, Layout.version(version.id), version.model_dump_json().encode())
    os.utime(store.path(Layout.article_part("pubmed26n0002")), (time.time() - 5 * 3600,) * 2)
    report = status.run(config(tmp_path), verify=True)
    [told] = report.versions
    sizes = [sum(f.stat().st_size for f in (tmp_path / "segments" / s).iterdir()) for s in ("s0", "s1")]
    manifests = [(tmp_path / "segments" / s / SEGMENT_MANIFEST).stat().st_size for s in ("s0", "s1")]
    data = [size - manifest for size, manifest in zip(sizes, manifests, strict=True)]
    assert told.segments == (
        SegmentStatus(segment="s0", shard=0, kind="base", live_rows=200, dead_rows=0, bytes=data[0]),
        SegmentStatus(segment="s1", shard=0, kind="delta", live_rows=198, dead_rows=2, bytes=data[1]),
    )
    assert (told.parent, told.dead_rows, told.bytes) == ("v0", 2, sum(data))
    assert (told.newest_source, round(told.hours_since_ingest or 0)) == ("pubmed26n0002", 5)
    line = status.show(report).splitlines()[-1]
    assert "  400     2  1 + 1         0.970" in line
    assert line.endswith("pubmed26n0002  5 h")


def test_the_table_of_all_of_pubmed_fits_a_terminal(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    file = FileDigest(bytes=13 * 10**10, sha256="", head="")
    base = Segment(id="s", shard=0, rows=41 * 10**6, dimension=768, nlist=1, code_size=1, files={"rows": file})
    update = {"id": "0123456789abcdef", "segments": (base,), "articles": 40_000_000}
    dead = {"tombstones": {"s": Tombstones(sha256="", rows=1_000_000)}}
    part = add_part(store, "pubmed26n01334", Article(1))
    version = VERSION.model_copy(update={**update, **dead, "snapshot": add_snapshot(store, [part]).id})
    write_bytes(store, Layout.version(version.id), version.model_dump_json().encode())
    set_current(store, Current(version="other", withdrawn=(version.id,)))
    lines = status.show(status.run(config(tmp_path))).splitlines()[-3:]
    assert max(len(line) for line in lines) <= 120


@pytest.mark.parametrize("lost", ["quantizers", "tombstones", "truths", "mesh"])
def test_verify_misses_what_a_search_needs(lost: str, tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    dead = write_tombstones(store, np.array([3], np.int64))
    tree = write_named(store, Layout.mesh_tree, b"Heart\tA01\t\n")
    version = write_version(store).model_copy(update={"tombstones": {"s0": dead}, "mesh_tree": tree})
    write_bytes(store, Layout.version(version.id), version.model_dump_json().encode())
    status.run(config(tmp_path), verify=True)
    [file] = (tmp_path / lost).iterdir()
    file.unlink()
    with pytest.raises(StoreError, match=str(file)):
        status.run(config(tmp_path), verify=True)


def test_verify_reads_every_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.files.checked.HEAD_BYTES", 1024)  # the flipped byte is not in the head
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    write_bytes(store, Layout.version(version.id), version.model_dump_json().encode())
    assert "every file of every version has its digest" in status.show(status.run(config(tmp_path), verify=True))
    path = store.path(Layout.segment("s0")) / ROWS
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=str(path)):
        status.run(config(tmp_path), verify=True)
    assert "every file" not in status.show(status.run(config(tmp_path)))
